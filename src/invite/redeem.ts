// The guest's side of an invite, for `shoal join`: looks for the inviting device by known hosts, on the local network and
// in a DHT, all at once, and takes the secret from the first that proves that it made the invite. Everything is done under
// a device key made for this once, so that nothing links it to the device that joins. Promises: the text of the invite is
// checked before anything is sent; nothing is left running when the promise settles; no error and no log line holds the
// invite or the secret.
import { randomBytes } from 'node:crypto'
import { isIPv4 } from 'node:net'
import NoiseSecretStream from '@hyperswarm/secret-stream'
import { type DeviceKeys, deviceKeysOf } from '../core/device.js'
import { ShoalError } from '../core/error.js'
import { type InviteKeys, inviteKeysOf, parseInvite } from '../core/invite.js'
import { KEY_BYTES } from '../core/keys.js'
import { type Log, silentLog } from '../ports/log.js'
import type { Transport } from '../swarm/dedupe.js'
import { type Endpoint, endpointOf, formatEndpoint } from '../swarm/endpoint.js'
import { Finders } from '../swarm/finders.js'
import { HeardDial } from '../swarm/heard-dial.js'
import { type DialTcp, dialTcp } from '../swarm/tcp.js'
import { type GuestOutcome, talkAsGuest } from './guest-talk.js'
import type { InviteGrade } from './messages.js'

export interface RedeemOptions {
  /** "host:port" each. */
  readonly knownHosts?: readonly string[]
  /** Default true. */
  readonly searchLan?: boolean
  /** "host:port" of DHT nodes; without any the DHT is not asked. */
  readonly bootstrap?: readonly string[]
  /** See SwarmOptions. */
  readonly interfaces?: readonly string[]
  readonly beaconPort?: number
  /** How addresses are dialled, but for those heard on the local network, which are dialled directly; default: directly. */
  readonly dial?: DialTcp
  /** IPv4 address to ask the DHT from; default: all. */
  readonly listenHost?: string
  /** Default two minutes. */
  readonly timeoutMs?: number
  /** Gives up; the promise then rejects with its reason. */
  readonly signal?: AbortSignal
  /** Default: nothing is logged. */
  readonly log?: Log
}

export interface Redeemed {
  /** The text of a write or read secret. Checked. */
  readonly secret: string
  readonly grade: InviteGrade
  /** What the inviting device calls the share: the name of its folder; may be empty. At most 64 bytes, printable. */
  readonly name: string
  /** What the inviting device calls itself. At most 64 bytes, printable. */
  readonly deviceName: string
  /** "host:port" where the inviting device was met, worth keeping as a known host; absent if only the DHT led to it. */
  readonly knownHost?: string
}

const DEFAULT_TIMEOUT_MS = 120_000
/** Addresses taken from beacons, which anyone near can repeat from elsewhere. */
const MAX_HEARD = 16
/** From a socket to the secret. */
const TALK_TIMEOUT_MS = 10_000
/** Between two dials of an address that did not answer. */
const RETRY_MS = 1_000
/** An inviting device that is flooded, or restarts, refuses the right invite too: asked again, but not often. */
const MAX_REFUSALS = 2
const REFUSED_RETRY_MS = 2_500

/**
 * Redeems an invite.
 * @throws ShoalError INVITE_INVALID: the text is none; USAGE: nowhere to look; CONFIG_INVALID: a host that is none;
 * INVITE_FAILED: not found in time, refused, or broken off
 */
export async function redeemInvite(text: string, options: RedeemOptions = {}): Promise<Redeemed> {
  const keys = inviteKeysOf(parseInvite(text))
  options.signal?.throwIfAborted()
  const redeemer = new Redeemer(keys, options)
  return redeemer.run()
}

type Dialled = 'unreachable' | 'refused' | 'over'

class Redeemer {
  readonly #keys: InviteKeys
  readonly #options: RedeemOptions
  readonly #log: Log
  readonly #device: DeviceKeys = deviceKeysOf(randomBytes(KEY_BYTES))
  readonly #abort = new AbortController()
  readonly #finders: Finders
  readonly #dialer: HeardDial
  readonly #known: readonly Endpoint[]
  readonly #talks = new Map<NoiseSecretStream, Promise<GuestOutcome>>()
  /** Addresses that are being tried, or were given up. */
  readonly #tried = new Set<string>()
  readonly #refusedBy = new Set<string>()
  #takers = 0
  #isBroken = false
  #found: Redeemed | undefined

  constructor(keys: InviteKeys, options: RedeemOptions) {
    const { bootstrap = [], listenHost, interfaces, beaconPort, dial = dialTcp, log = silentLog } = options
    this.#keys = keys
    this.#options = options
    this.#log = log
    this.#dialer = new HeardDial(dialTcp, dial)
    this.#known = (options.knownHosts ?? []).map(endpointOf)
    this.#finders = new Finders({
      device: this.#device,
      bootstrap: bootstrap.map(endpointOf),
      ...(listenHost !== undefined && isIPv4(listenHost) ? { host: listenHost } : {}),
      ...(interfaces === undefined ? {} : { interfaces }),
      ...(beaconPort === undefined ? {} : { beaconPort }),
      onBeacon: (_id, endpoint) => {
        if (this.#tried.size >= this.#known.length + MAX_HEARD) return
        this.#dialer.heard(endpoint)
        void this.#try(endpoint)
      },
      onConnection: (stream) => void this.#talk(stream, 'udx'),
      log,
    })
  }

  async run(): Promise<Redeemed> {
    const { signal, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options
    const isSearching = this.#isSearchingLan || this.#isAskingDht
    if (this.#known.length === 0 && !isSearching)
      throw new ShoalError(
        'USAGE',
        'nowhere to look for the inviting device: name its address, or search the network',
      )
    const stop = (): void => this.#abort.abort()
    const timer = setTimeout(stop, timeoutMs)
    signal?.addEventListener('abort', stop)
    try {
      const stopped = new Promise<void>((resolve) =>
        this.#abort.signal.addEventListener('abort', () => resolve()),
      )
      const { topic, beaconKey } = this.#keys
      const ways = { searchLan: this.#isSearchingLan, useDht: this.#isAskingDht }
      this.#finders.add({ id: 'invite', topic, beaconKey }, ways, 'guest')
      // Nothing is announced, and nobody listens: there is no port to tell.
      if (isSearching) await this.#finders.start(0)
      const allTried = Promise.all(this.#known.map((endpoint) => this.#try(endpoint)))
      await (isSearching ? stopped : Promise.race([stopped, allTried]))
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      this.#abort.abort()
      // One may have the secret already, and only be taking leave.
      for (const stream of this.#talks.keys()) stream.destroy()
      await Promise.all([...this.#talks.values(), this.#finders.close()])
    }
    if (this.#found !== undefined) return this.#found
    signal?.throwIfAborted()
    throw this.#failure()
  }

  get #isSearchingLan(): boolean {
    return this.#options.searchLan !== false
  }

  get #isAskingDht(): boolean {
    return (this.#options.bootstrap ?? []).length > 0
  }

  /** Dials an address until it is the one, has refused often enough, or all is over. */
  async #try(endpoint: Endpoint): Promise<void> {
    const address = formatEndpoint(endpoint)
    if (this.#tried.has(address)) return
    this.#tried.add(address)
    let refusals = 0
    while (!this.#abort.signal.aborted) {
      const dialled = await this.#dial(endpoint)
      if (dialled === 'over' || (dialled === 'refused' && ++refusals >= MAX_REFUSALS)) return
      await this.#pause(dialled === 'refused' ? REFUSED_RETRY_MS : RETRY_MS)
    }
  }

  async #dial(endpoint: Endpoint): Promise<Dialled> {
    let stream: NoiseSecretStream
    try {
      const socket = await this.#dialer.dial(endpoint, TALK_TIMEOUT_MS, this.#abort.signal)
      const { publicKey, secretKey } = this.#device
      stream = new NoiseSecretStream(true, socket, { keyPair: { publicKey, secretKey } })
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown)
      this.#log.debug({ address: formatEndpoint(endpoint), reason }, 'cannot connect')
      return 'unreachable'
    }
    const outcome = await this.#talk(stream, 'tcp', endpoint)
    if (outcome.type === 'refused') {
      this.#refusedBy.add(formatEndpoint(endpoint))
      return 'refused'
    }
    return outcome.type === 'redeemed' || outcome.taken ? 'over' : 'unreachable'
  }

  async #talk(stream: NoiseSecretStream, transport: Transport, endpoint?: Endpoint): Promise<GuestOutcome> {
    let isTaker = false
    const mayTake = (): boolean => {
      if (this.#takers > 0 || this.#isBroken || this.#found !== undefined || this.#abort.signal.aborted)
        return false
      this.#takers++
      isTaker = true
      return true
    }
    const options = { stream, transport, keys: this.#keys, mayTake, timeoutMs: TALK_TIMEOUT_MS }
    const talk = talkAsGuest(options).then((outcome) => {
      this.#talks.delete(stream)
      if (isTaker) this.#takers--
      this.#onOutcome(outcome, transport, endpoint)
      return outcome
    })
    this.#talks.set(stream, talk)
    if (this.#abort.signal.aborted) stream.destroy()
    return talk
  }

  #onOutcome(outcome: GuestOutcome, transport: Transport, endpoint: Endpoint | undefined): void {
    if (outcome.type === 'redeemed') this.#onRedeemed(outcome, endpoint)
    else if (outcome.type === 'broken') {
      this.#log.debug({ transport, reason: outcome.reason }, 'a conversation about the invite broke off')
      // It may be used up; whoever asks again finds out.
      if (outcome.taken) this.#isBroken = true
    }
    if (outcome.type === 'redeemed' || this.#isBroken) this.#abort.abort()
  }

  #onRedeemed({ offer, secret }: GuestOutcome & { type: 'redeemed' }, endpoint: Endpoint | undefined): void {
    const { grade, shareName: name, deviceName } = offer
    const knownHost = endpoint === undefined ? {} : { knownHost: formatEndpoint(endpoint) }
    this.#found = { secret, grade, name, deviceName, ...knownHost }
  }

  #failure(): ShoalError {
    const failed = (why: string): ShoalError =>
      new ShoalError('INVITE_FAILED', `cannot redeem the invite: ${why}`)
    if (this.#isBroken)
      return failed(
        'the connection broke before the secret arrived: try once more, and if that is refused it is used up',
      )
    const [by] = this.#refusedBy
    if (by !== undefined)
      return failed(`${by} knows no such invite: it is used, expired or ended, or of another device`)
    const ways = [
      ...(this.#known.length > 0 ? [this.#known.map(formatEndpoint).join(', ')] : []),
      ...(this.#isSearchingLan ? ['the local network'] : []),
      ...(this.#isAskingDht ? ['the DHT'] : []),
    ]
    return failed(`the inviting device was not found (looked at: ${ways.join('; ')})`)
  }

  #pause(forMs: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#abort
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, forMs)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })
  }
}
