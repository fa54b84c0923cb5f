// One connection to one device: Noise, then the gate, then channels. The gate is one frame from each side with a proof
// for one share, and after it one frame with a hello; only then does a multiplexer exist. So a peer that holds no
// secret gets the Noise handshake from us and not one byte more (X1), and never reaches a parser that has more than two
// fixed shapes to read.
//
//   L1  Stages only go forward: noise, gate, hello, ready, closed.
//   L2  The initiator says nothing of a share but the proof for the one it dialled for; the responder answers only a
//       proof that holds. A guest (guest.ts) goes from the gate to a door of its own, and never further here.
//   L3  'close' is emitted exactly once, at once, whoever closes; nothing is emitted after it.
//   L4  Every stream has an error handler, and no error leaves the connection it belongs to.
import { EventEmitter } from 'node:events'
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import { type DeviceId, deviceIdFromKey, type ShareId } from '../core/ids.js'
import type { ShareKeys } from '../core/secret.js'
import type { Log } from '../ports/log.js'
import type { Transport } from './dedupe.js'
import { type Endpoint, formatEndpoint, plainHost, type Scope, scopeOf } from './endpoint.js'
import { FrameGuard } from './frame-guard.js'
import { GUEST_GATE_VERSION, type GuestDoor, type GuestLink, type GuestTalk } from './guest.js'
import { LinkChannel } from './link-channel.js'
import { LinkClocks } from './link-clocks.js'
import type { LinkTimings } from './link-timings.js'
import { decodeGate, decodeHello, encodeGate, encodeHello, type Hello } from './messages.js'
import { GuardedMux } from './mux.js'
import type { WaysMessage } from './own-ways.js'
import { gateProof, otherRole, type Role, sameProof } from './proof.js'
import type { StandstillMessage } from './standstills.js'
import { isProxied } from './tcp.js'

export interface LinkOptions {
  readonly stream: NoiseSecretStream
  readonly transport: Transport
  /** The other end of the transport. */
  readonly remote: Endpoint
  /** What was dialled: the key in the address book, and where that led. */
  readonly dialled?: { readonly key: string; readonly endpoint: Endpoint }
  /** Initiator: the share that this connection is for. */
  readonly share?: ShareKeys
  /** Responder: the shares that may be proven to us, asked for when a proof arrives. */
  readonly shares: () => Iterable<ShareKeys>
  /** Why a device is not welcome, once its key is known; undefined: it is. */
  readonly refuse: (device: DeviceId) => string | undefined
  readonly hello: Hello
  /** Responder: who takes guests. */
  readonly door?: GuestDoor
  readonly timings: LinkTimings
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Milliseconds since 1970; default: Date.now. */
  readonly wallNow?: () => number
  readonly log: Log
}

interface LinkEvents {
  /** Both sides proved a secret and said hello; mux, device and hello are set. */
  ready: []
  /** The chooser's decision (dedupe.ts) for this connection has arrived or was made here. */
  selected: []
  /** The other side asks whether we have these shares as well. */
  offers: [ids: Buffer[]]
  /** The other side tells as what it sees us, and where it can be reached. */
  ways: [message: WaysMessage]
  /** It stands still, as this end sees, or the other side tells that TCP between us did (standstills.ts). */
  still: []
  standstill: [message: StandstillMessage]
  close: [reason: string]
}

type Stage = 'noise' | 'gate' | 'guest' | 'hello' | 'ready' | 'closed'

export class Link extends EventEmitter<LinkEvents> implements GuestLink {
  readonly stream: NoiseSecretStream
  readonly transport: Transport
  readonly role: Role
  readonly remote: Endpoint
  /** The remote end as text. */
  readonly address: string
  /** How far the other end's address reaches; through a relay: anywhere. */
  readonly scope: Scope
  readonly dialled: { readonly key: string; readonly endpoint: Endpoint } | undefined
  /** The other end sees a proxy in our place, and is told no port, as nobody reaches us there. */
  readonly isProxied: boolean
  /** Wall clock, for people. */
  readonly connectedAtMs: number = Date.now()
  /** Monotonic. */
  readonly startedMs: number
  lastHeardMs: number
  readyMs = 0
  /** Where the other end can be reached, it says; what of it means it here (own-ways.ts). */
  ways: readonly Endpoint[] = []
  /** As what the other end sees us; undefined: it has not told. */
  seenAs: Endpoint | undefined

  readonly #options: LinkOptions
  readonly #log: Log
  #stage: Stage = 'noise'
  #guard: FrameGuard | undefined
  #talk: GuestTalk | undefined
  readonly #clocks = new LinkClocks((reason) => this.#end(reason))
  #device: DeviceId | undefined
  #gateShare: ShareId | undefined
  #hello: Hello | undefined
  #mux: GuardedMux | undefined
  #channel: LinkChannel | undefined
  #isSelected = false

  constructor(options: LinkOptions) {
    super()
    const { stream } = options
    this.#options = options
    this.#log = options.log
    this.stream = stream
    this.transport = options.transport
    this.role = stream.isInitiator ? 'initiator' : 'responder'
    this.remote = { host: plainHost(options.remote.host), port: options.remote.port }
    this.address = formatEndpoint(this.remote)
    // Where a relay stands says nothing of where the device at the other end does.
    this.scope = options.transport === 'relayed' ? 'public' : (scopeOf(this.remote.host) ?? 'public')
    this.dialled = options.dialled
    this.isProxied = isProxied(stream.rawStream)
    this.startedMs = options.now()
    this.lastHeardMs = this.startedMs
  }

  /** Begins; called once the caller's listeners are attached, and in the same tick as the stream was made (L4). */
  start(): void {
    const { stream } = this
    stream.on('error', (error: Error) => this.#onError(error))
    stream.on('close', () => this.#end('connection closed'))
    stream.on('data', this.#onFrame)
    // Prepended: the guard must see the bytes before the stream allocates what they announce. Over UDX the handshake
    // ran inside datagrams, and only the stream's header frame is left of it.
    const handshakeFrames = this.transport === 'udx' ? 1 : this.role === 'initiator' ? 2 : 3
    this.#guard = new FrameGuard(handshakeFrames)
    stream.rawStream.prependListener('data', this.#onBytes)
    this.#clocks.setDeadline(this.#options.timings.proofTimeoutMs, 'nothing proven in time')
    if (stream.connected) this.#onNoise()
    else stream.once('connect', () => this.#onNoise())
  }

  get isClosed(): boolean {
    return this.#stage === 'closed'
  }

  /** Whether the proofs are done, both ways. */
  get isReady(): boolean {
    return this.#stage === 'ready'
  }

  get isSelected(): boolean {
    return this.#isSelected
  }

  /** The share whose proof opened this connection; set once ready. */
  get gateShare(): ShareId {
    return this.#gateShare!
  }

  /** The other device; set once ready. */
  get device(): DeviceId {
    return this.#device!
  }

  /** The other device as soon as Noise has shown its key, proven or not. */
  get deviceSeen(): DeviceId | undefined {
    return this.#device
  }

  /** What the other device said of itself; set once ready. */
  get hello(): Hello {
    return this.#hello!
  }

  /** How far the other clock is ahead of ours, on the way included; undefined: not told, as by older versions. */
  get clockAheadMs(): number | undefined {
    return this.#channel?.clockAheadMs
  }

  /** The way there and back of a small message, milliseconds; undefined: not measured, as with older versions. */
  get rttMs(): number | undefined {
    return this.#channel?.rttMs
  }

  /** Our own end's address; undefined where the transport does not tell. */
  get localAddress(): string | undefined {
    const { localAddress } = this.stream.rawStream as { readonly localAddress?: string }
    return localAddress === undefined ? undefined : plainHost(localAddress)
  }

  /** Set once ready. */
  get mux(): GuardedMux {
    return this.#mux!
  }

  get handshakeHash(): Buffer {
    return this.stream.handshakeHash!
  }

  /** For LinkFacts: the other side's process. */
  get instance(): string {
    return this.hello.instance
  }

  /** Chooser only: this is the connection that carries the shares from now on. */
  select(): void {
    if (this.#stage !== 'ready' || this.#isSelected) return
    this.#openChannel()
    this.#markSelected()
  }

  /** The other end chooses: go along when it does. */
  awaitSelection(): void {
    LinkChannel.awaitOther(this.mux, () => {
      this.#openChannel()
      this.#markSelected()
    })
  }

  /** Asks the other side for more shares in common. The caller pads the list, so that its length says nothing. */
  offer(ids: readonly Buffer[]): void {
    this.#channel?.offer(ids)
  }

  /** Tells the other end as what we see it, and where we can be reached. */
  tellWays(message: WaysMessage): void {
    this.#channel?.tellWays(message)
  }

  /** Tells the other end how often TCP between us stood still. */
  tellStandstill(message: StandstillMessage): void {
    this.#channel?.tellStandstill(message)
  }

  /** For GuestLink: sends one frame of a guest's conversation. */
  send(frame: Buffer): void {
    if (this.#stage === 'guest') this.stream.write(frame)
  }

  /** A share is proven on its channel: the connection may stay. */
  keep(): void {
    this.#clocks.keep()
  }

  /** Ends the connection after so long; called again, what was said last counts. */
  closeWithin(withinMs: number, reason: string): void {
    if (this.isClosed) return
    this.#clocks.part(withinMs, reason)
  }

  /** Ends the connection unless the other end says anything within so long; `onAlive` runs if it does. */
  probe(withinMs: number, onAlive?: () => void): void {
    if (this.isClosed) return
    if (this.#clocks.probe(withinMs, onAlive)) this.#channel?.ask()
  }

  /** Ends the connection; `reason` is for our own log and listeners. */
  close(reason: string): void {
    this.#end(reason)
  }

  #onError(err: Error): void {
    // Hostile bytes can cause these too, but more often it is our own bug, which must not pass for a lost connection.
    if (err instanceof TypeError || err instanceof RangeError || err instanceof ReferenceError)
      this.#log.warn({ err, peer: this.address }, 'connection ended by an unexpected error')
    this.#end(err.message)
  }

  #onBytes = (chunk: Uint8Array): void => {
    this.lastHeardMs = this.#options.now()
    this.#clocks.heard()
    if (this.#guard === undefined) return
    const fault = this.#guard.push(chunk)
    if (fault !== undefined) this.#end(fault)
  }

  #onNoise(): void {
    if (this.#stage !== 'noise') return
    this.#stage = 'gate'
    this.#device = deviceIdFromKey(this.stream.remotePublicKey!)
    const refusal = this.#options.refuse(this.#device)
    if (refusal !== undefined) {
      this.#end(refusal)
      return
    }
    const { share } = this.#options
    if (this.role === 'initiator') {
      if (share === undefined) {
        this.#end('no share to dial for')
        return
      }
      this.stream.write(encodeGate(gateProof(share.authKey, this.role, this.handshakeHash)))
    }
  }

  #onFrame = (frame: Buffer): void => {
    // An empty frame is a keepalive.
    if (frame.length === 0) return
    if (this.#stage === 'guest') this.#talk?.onFrame(frame)
    else if (this.#stage === 'gate' && frame[0] === GUEST_GATE_VERSION) this.#onGuest(frame)
    else if (this.#stage === 'gate') this.#onGate(frame)
    else if (this.#stage === 'hello') this.#onHello(frame)
    else if (this.#stage === 'noise') this.#end('frame before the handshake was done')
  }

  #onGuest(frame: Buffer): void {
    const { door } = this.#options
    if (door === undefined || this.role === 'initiator') {
      this.#end('no guests are expected')
      return
    }
    this.#stage = 'guest'
    const talk = door.enter(frame, this)
    if (typeof talk === 'string') this.#end(talk)
    else if (this.isClosed) talk.onClose()
    else this.#talk = talk
  }

  #onGate(frame: Buffer): void {
    const gate = decodeGate(frame)
    if (gate.type === 'violation') {
      this.#end(`bad gate: ${gate.detail}`)
      return
    }
    const remoteRole = otherRole(this.role)
    const candidates = this.role === 'initiator' ? [this.#options.share!] : this.#options.shares()
    let proven: ShareKeys | undefined
    // All are tried, so that the time taken does not tell which one it was.
    for (const share of candidates)
      if (sameProof(gateProof(share.authKey, remoteRole, this.handshakeHash), gate.value)) proven = share
    if (proven === undefined) {
      this.#end('no share proven')
      return
    }
    this.#gateShare = proven.shareId
    this.#stage = 'hello'
    if (this.role === 'responder')
      this.stream.write(encodeGate(gateProof(proven.authKey, this.role, this.handshakeHash)))
    this.stream.write(encodeHello({ ...this.#options.hello, ...(this.isProxied && { port: 0 }) }))
  }

  #onHello(frame: Buffer): void {
    const hello = decodeHello(frame)
    if (hello.type === 'violation') {
      this.#end(`bad hello: ${hello.detail}`)
      return
    }
    this.#hello = hello.value
    this.#stage = 'ready'
    this.readyMs = this.#options.now()
    this.#guard = undefined
    this.stream.removeListener('data', this.#onFrame)
    const { keepAliveMs, deadPeerMs, proofTimeoutMs } = this.#options.timings
    this.stream.setKeepAlive(keepAliveMs)
    this.stream.setTimeout(deadPeerMs)
    this.#clocks.watch(this, deadPeerMs, this.#options.now, () => this.emit('still'))
    this.#clocks.setDeadline(proofTimeoutMs, 'no share in use in time')
    this.#mux = new GuardedMux(this.stream)
    this.emit('ready')
  }

  #openChannel(): void {
    this.#channel ??= LinkChannel.open({
      mux: this.mux,
      wallNow: this.#options.wallNow ?? Date.now,
      now: this.#options.now,
      onOffers: (ids) => {
        if (this.#isSelected && !this.isClosed) this.emit('offers', ids)
      },
      onWays: (message) => {
        if (!this.#isSelected || this.isClosed) return
        this.seenAs = message.seen
        this.emit('ways', message)
      },
      onStandstill: (message) => this.emit('standstill', message),
      onEnd: (reason) => this.#end(reason),
    })
    // What the other end sent before may have ended the connection while ours was opened.
    if (this.isClosed) this.#channel?.stop()
  }

  #markSelected(): void {
    if (this.#isSelected || this.#stage !== 'ready') return
    this.#isSelected = true
    this.emit('selected')
  }

  #end(reason: string): void {
    if (this.#stage === 'closed') return
    const stage = this.#stage
    this.#stage = 'closed'
    this.#clocks.stop()
    this.#channel?.stop()
    this.stream.removeListener('data', this.#onFrame)
    this.stream.destroy()
    this.#talk?.onClose()
    this.#log.debug({ peer: this.address, transport: this.transport, stage, reason }, 'connection ended')
    this.emit('close', reason)
    this.removeAllListeners()
  }
}
