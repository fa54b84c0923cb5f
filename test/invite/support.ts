// An inviting swarm on loopback for tests, with its invites in a file that lives in memory and a clock that tests move.
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import type { TestContext } from 'node:test'
import NoiseSecretStream from '@hyperswarm/secret-stream'
import type { DeviceKeys } from '../../src/core/device.js'
import { formatInvite, INVITE_BYTES, inviteKeysOf, inviteOf, parseInvite } from '../../src/core/invite.js'
import { formatSecret, type Secret, writeSecretOf } from '../../src/core/secret.js'
import { type GuestOutcome, talkAsGuest } from '../../src/invite/guest-talk.js'
import { InviteHost } from '../../src/invite/host.js'
import type { InviteFile } from '../../src/invite/store.js'
import type { Log, LogFields } from '../../src/ports/log.js'
import type { SearchWays } from '../../src/swarm/finders.js'
import type { Swarm, SwarmOptions } from '../../src/swarm/swarm.js'
import { freshDevice, startable } from '../swarm/support.js'

/** A file of invites in memory. */
export class MemoryFile implements InviteFile {
  readonly path = 'invites.json'
  text: string | undefined
  /** Every text it ever had. */
  readonly written: string[] = []
  fault: Error | undefined

  read(): string | undefined {
    return this.text
  }

  write(text: string): void {
    if (this.fault !== undefined) throw this.fault
    this.text = text
    this.written.push(text)
  }
}

/** A log that keeps everything. */
export class LogBook implements Log {
  readonly lines: { readonly level: string; readonly fields: LogFields; readonly message: string }[] = []
  trace(fields: LogFields, message: string): void {
    this.#add('trace', fields, message)
  }
  debug(fields: LogFields, message: string): void {
    this.#add('debug', fields, message)
  }
  info(fields: LogFields, message: string): void {
    this.#add('info', fields, message)
  }
  warn(fields: LogFields, message: string): void {
    this.#add('warn', fields, message)
  }
  error(fields: LogFields, message: string): void {
    this.#add('error', fields, message)
  }
  child(): Log {
    return this
  }
  has(message: string): boolean {
    return this.lines.some((line) => line.message === message)
  }
  #add(level: string, fields: LogFields, message: string): void {
    this.lines.push({ level, fields, message })
  }
}

export interface Inviter {
  readonly host: InviteHost
  readonly swarm: Swarm
  readonly port: number
  /** "127.0.0.1:port" */
  readonly address: string
  readonly file: MemoryFile
  readonly log: LogBook
  readonly secret: Secret
  readonly device: DeviceKeys
  /** Moves the host's clock on. */
  pass(ms: number): void
  stop(): Promise<void>
}

export interface InviterOptions extends Partial<SwarmOptions> {
  readonly secret?: Secret
  readonly device?: DeviceKeys
  readonly file?: MemoryFile
  readonly ways?: SearchWays
  readonly isStrange?: boolean
  readonly clock?: { ms: number }
}

export const freshSecret = (): Secret => writeSecretOf(randomBytes(32))
export const textOf = (secret: Secret): string => formatSecret(secret)

/** A started swarm that invites to one share, "photos"; stopped after the test. */
export async function startInviter(t: TestContext, options: InviterOptions = {}): Promise<Inviter> {
  const {
    secret = freshSecret(),
    device = freshDevice(),
    file = new MemoryFile(),
    ways = { searchLan: false, useDht: false },
    isStrange = false,
    clock = { ms: Date.now() },
    ...rest
  } = options
  const log = new LogBook()
  const host = new InviteHost({
    device: device.device,
    deviceName: 'nas',
    shares: [{ secret, name: 'photos', ways }],
    file,
    log,
    nowMs: () => clock.ms,
  })
  const swarm = startable(t, { device, door: host, log, ...rest })
  const { port } = await swarm.start()
  host.start(swarm, isStrange)
  const stop = async (): Promise<void> => {
    host.close()
    await swarm.stop()
  }
  t.after(stop)
  const pass = (ms: number): void => {
    clock.ms += ms
  }
  return { host, swarm, port, address: `127.0.0.1:${port}`, file, log, secret, device, pass, stop }
}

/** Another invite with a valid checksum: of the same name, or of another. */
export function guessAt(text: string, { sameName }: { readonly sameName: boolean }): string {
  const { bytes } = parseInvite(text)
  const guess = Buffer.concat([bytes.subarray(0, 3), randomBytes(INVITE_BYTES - 3)])
  if (!sameName) guess[1] = guess[1]! ^ 1
  return formatInvite(inviteOf(guess))
}

/** One try at an invite over one connection, without the patience of redeemInvite. */
export function tryOnce(text: string, port: number): Promise<GuestOutcome> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  const stream = new NoiseSecretStream(true, socket, { keyPair: freshDevice() })
  const keys = inviteKeysOf(parseInvite(text))
  return talkAsGuest({ stream, transport: 'tcp', keys, mayTake: () => true, timeoutMs: 8_000 })
}
