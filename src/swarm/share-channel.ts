// A share on a connection: one channel with the proof for that share in its handshake (X1), and over it certificates,
// signed states and reports, and addresses of other members. It is what the rest of Shoal knows as a peer. Peers of earlier
// versions have no messages for reports: protomux passes over a message whose number it does not know (Channel._recv), so they
// are told without being asked. A peer exists only once
// both sides have verified each other's proof; a proof that does not hold ends the whole connection.
//
// Listeners must be attached while 'peer' is being emitted: the first messages may follow at once.
import { EventEmitter } from 'node:events'
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import type Protomux from 'protomux'
import type { Channel, Message } from 'protomux'
import { Allowance } from '../core/allowance.js'
import type { DeviceId } from '../core/ids.js'
import { MAX_ANSWER_BYTES, MAX_INQUIRY_BYTES } from '../core/inquiry.js'
import { MAX_REPORT_BYTES } from '../core/report.js'
import type { Grade, ShareKeys } from '../core/secret.js'
import type { Decoded } from '../core/violation.js'
import {
  type ChallengeAnswer,
  type ChallengeMessage,
  decodeChallenge,
  decodeChallengeAnswer,
  encodeChallenge,
  encodeChallengeAnswer,
} from './audit-messages.js'
import type { Transport } from './dedupe.js'
import type { Link } from './link.js'
import {
  type DeviceAddress,
  decodeAddresses,
  decodeBuffers,
  encodeAddresses,
  encodeBuffers,
  splitBuffers,
} from './messages.js'
import { bytesEncoding } from './mux.js'
import { channelId } from './proof.js'
import {
  decodeSequences,
  decodeWants,
  encodeSequences,
  encodeWants,
  type ReportSequence,
} from './report-messages.js'
import { gradeOf, type Handshake, handshakeEncoding, ownHandshake } from './share-handshake.js'

const SHARE_PROTOCOL = 'shoal/share/1'
/** A certificate is about 200 bytes. */
export const MAX_CERTIFICATE_BYTES: number = 2 * 1024
/** A state grows by about 14 bytes a feed. */
export const MAX_STATE_BYTES: number = 64 * 1024
const MAX_MESSAGE_BYTES = 1024 * 1024
/** Messages with addresses that a peer may send in a burst, and how fast the allowance grows back. */
const ADDRESS_BURST = 32
const ADDRESS_REFILL_MS = 1_000
/** The same for lists of what reports there are and which are wanted: an honest peer collects them for longer. */
const REPORT_LIST_BURST = 64
const REPORT_LIST_REFILL_MS = 40
/** Challenges, of which an honest verifier has one under way, and answers to them. */
const AUDIT_BURST = 64
const AUDIT_REFILL_MS = 20

/** Reason of a 'close' that is none to the device: it is there by a better way. */
export const MOVED = 'moved to a better way'

interface PeerEvents {
  certificates: [list: Buffer[]]
  states: [list: Buffer[]]
  reports: [list: Buffer[]]
  'report-sequences': [list: ReportSequence[]]
  'report-wants': [list: DeviceId[]]
  inquiries: [list: Buffer[]]
  answers: [list: Buffer[]]
  challenge: [challenge: ChallengeMessage]
  'challenge-answer': [answer: ChallengeAnswer]
  close: [reason: string]
}

/** A member of a share that is connected now. Emits what the other side sends and, exactly once, 'close' (reason). */
export interface SharePeer extends EventEmitter<PeerEvents> {
  readonly device: DeviceId
  readonly name: string
  /** The other process: 16 random bytes in hex. */
  readonly instance: string
  /** 'read' if it proved the read key to us, who hold it too; 'blind' means no more than the blind secret is proven. */
  readonly grade: Grade
  readonly transport: Transport
  readonly address: string
  /** Whether our side reached it through a proxy: `address` is then as seen from there. */
  readonly isProxied: boolean
  /** Whether our side dialled. */
  readonly initiator: boolean
  /** Milliseconds since 1970. */
  readonly connectedAtMs: number
  /** How far its clock is ahead of ours; undefined: it has not told. */
  readonly clockAheadMs: number | undefined
  /** The way there and back of a small message, milliseconds; undefined: not measured. */
  readonly rttMs: number | undefined
  readonly stream: NoiseSecretStream
  readonly mux: Protomux
  /** Each at most MAX_CERTIFICATE_BYTES, else a RangeError. */
  sendCertificates(list: readonly Buffer[]): void
  /** Each at most MAX_STATE_BYTES, else a RangeError. */
  sendStates(list: readonly Buffer[]): void
  /** Each at most MAX_REPORT_BYTES, else a RangeError. */
  sendReports(list: readonly Buffer[]): void
  /** Which reports can be had here. At most MAX_REPORT_LIST, else a RangeError. */
  sendReportSequences(list: readonly ReportSequence[]): void
  /** Whose reports are asked for. At most MAX_REPORT_LIST, else a RangeError. */
  sendReportWants(list: readonly DeviceId[]): void
  /** Questions where everybody stands, and answers to them (core/inquiry.ts). Each within its bounds, else a RangeError. */
  sendInquiries(list: readonly Buffer[]): void
  sendAnswers(list: readonly Buffer[]): void
  /** Asks it to prove that it holds pieces, and answers that (core/audit.ts). At most MAX_CHALLENGED, else a RangeError. */
  sendChallenge(challenge: ChallengeMessage): void
  sendChallengeAnswer(answer: ChallengeAnswer): void
  /** Whether what was sent to it is not piling up here. */
  readonly isDrained: boolean
  /** Ends the connection with this device, so also for other shares on it. It will be dialled again. */
  close(reason: string): void
  /** Ends the connection and refuses the device for so long, in all shares. */
  ban(reason: string, forMs: number): void
}

export interface ShareChannelOptions {
  readonly link: Link
  readonly keys: ShareKeys
  /** Both sides are proven: the peer exists from here on. */
  readonly onPeer: (peer: ShareChannel) => void
  readonly onAddresses: (list: DeviceAddress[]) => void
  /** The other side closed the channel; the connection is still there. */
  readonly onLeft: () => void
  readonly onBan: (device: DeviceId, reason: string, forMs: number) => void
}

export class ShareChannel extends EventEmitter<PeerEvents> implements SharePeer {
  readonly link: Link
  readonly isProxied: boolean
  readonly connectedAtMs: number = Date.now()
  #grade: Grade = 'blind'
  readonly #options: ShareChannelOptions
  readonly #channel: Channel<Handshake>
  readonly #certificates: Message<Buffer>
  readonly #states: Message<Buffer>
  readonly #addresses: Message<Buffer>
  readonly #reports: Message<Buffer>
  readonly #reportSequences: Message<Buffer>
  readonly #reportWants: Message<Buffer>
  readonly #inquiries: Message<Buffer>
  readonly #answers: Message<Buffer>
  readonly #challenges: Message<Buffer>
  readonly #challengeAnswers: Message<Buffer>
  #isStarted = false
  #isOpen = false
  #isClosed = false

  /** Answers the other side's channel, or opens ours. Undefined if there is one already, or the stream is gone. */
  static open(options: ShareChannelOptions): ShareChannel | undefined {
    const { link, keys } = options
    let opened: ShareChannel | undefined
    const channel = link.mux.createChannel<Handshake>({
      protocol: SHARE_PROTOCOL,
      id: channelId(keys.authKey, link.handshakeHash),
      handshake: handshakeEncoding,
      onopen: (handshake) => opened!.#onOpen(handshake),
      onclose: () => opened!.#onClose(),
    })
    if (channel === null) return undefined
    opened = new ShareChannel(options, channel)
    return opened
  }

  /** Calls `open` when the other side opens the share's channel on this connection. */
  static pair(link: Link, keys: ShareKeys, open: () => void): void {
    link.mux.pair({ protocol: SHARE_PROTOCOL, id: channelId(keys.authKey, link.handshakeHash) }, open)
  }

  private constructor(options: ShareChannelOptions, channel: Channel<Handshake>) {
    super()
    this.#options = options
    this.link = options.link
    this.isProxied = options.link.isProxied
    this.#channel = channel
    this.#certificates = this.#addMessage('certificates', MAX_CERTIFICATE_BYTES, (list) =>
      this.emit('certificates', list),
    )
    this.#states = this.#addMessage('states', MAX_STATE_BYTES, (list) => this.emit('states', list))
    this.#addresses = this.#addList(
      'addresses',
      decodeAddresses,
      new Allowance(ADDRESS_BURST, ADDRESS_REFILL_MS),
      (list) => options.onAddresses(list),
    )
    this.#reports = this.#addMessage('reports', MAX_REPORT_BYTES, (list) => this.emit('reports', list))
    this.#reportSequences = this.#addList(
      'report sequences',
      decodeSequences,
      new Allowance(REPORT_LIST_BURST, REPORT_LIST_REFILL_MS),
      (list) => this.emit('report-sequences', list),
    )
    this.#reportWants = this.#addList(
      'report wants',
      decodeWants,
      new Allowance(REPORT_LIST_BURST, REPORT_LIST_REFILL_MS),
      (list) => this.emit('report-wants', list),
    )
    this.#inquiries = this.#addMessage('inquiries', MAX_INQUIRY_BYTES, (list) => this.emit('inquiries', list))
    this.#answers = this.#addMessage('answers', MAX_ANSWER_BYTES, (list) => this.emit('answers', list))
    const auditAllowance = (): Allowance => new Allowance(AUDIT_BURST, AUDIT_REFILL_MS)
    this.#challenges = this.#addList('challenge', decodeChallenge, auditAllowance(), (challenge) =>
      this.emit('challenge', challenge),
    )
    this.#challengeAnswers = this.#addList(
      'answer to a challenge',
      decodeChallengeAnswer,
      auditAllowance(),
      (answer) => this.emit('challenge-answer', answer),
    )
  }

  get device(): DeviceId {
    return this.link.device
  }
  get name(): string {
    return this.link.hello.name
  }
  get instance(): string {
    return this.link.instance
  }
  get grade(): Grade {
    return this.#grade
  }
  get transport(): Transport {
    return this.link.transport
  }
  get address(): string {
    return this.link.address
  }
  get initiator(): boolean {
    return this.link.role === 'initiator'
  }
  get clockAheadMs(): number | undefined {
    return this.link.clockAheadMs
  }
  get rttMs(): number | undefined {
    return this.link.rttMs
  }
  get stream(): NoiseSecretStream {
    return this.link.stream
  }
  get mux(): Protomux {
    return this.link.mux
  }

  /** Whether both proofs are done and the peer is still there. */
  get isLive(): boolean {
    return this.#isOpen && !this.#isClosed
  }

  sendCertificates(list: readonly Buffer[]): void {
    for (const part of splitBuffers(list, MAX_CERTIFICATE_BYTES, MAX_MESSAGE_BYTES))
      this.#certificates.send(encodeBuffers(part))
  }

  sendStates(list: readonly Buffer[]): void {
    for (const part of splitBuffers(list, MAX_STATE_BYTES, MAX_MESSAGE_BYTES))
      this.#states.send(encodeBuffers(part))
  }

  get isDrained(): boolean {
    return this.#channel.drained
  }

  sendReports(list: readonly Buffer[]): void {
    for (const part of splitBuffers(list, MAX_REPORT_BYTES, MAX_MESSAGE_BYTES))
      this.#reports.send(encodeBuffers(part))
  }

  sendReportSequences(list: readonly ReportSequence[]): void {
    if (list.length > 0) this.#reportSequences.send(encodeSequences(list))
  }

  sendReportWants(list: readonly DeviceId[]): void {
    if (list.length > 0) this.#reportWants.send(encodeWants(list))
  }

  sendInquiries(list: readonly Buffer[]): void {
    for (const part of splitBuffers(list, MAX_INQUIRY_BYTES, MAX_MESSAGE_BYTES))
      this.#inquiries.send(encodeBuffers(part))
  }

  sendAnswers(list: readonly Buffer[]): void {
    for (const part of splitBuffers(list, MAX_ANSWER_BYTES, MAX_MESSAGE_BYTES))
      this.#answers.send(encodeBuffers(part))
  }

  sendChallenge(challenge: ChallengeMessage): void {
    this.#challenges.send(encodeChallenge(challenge))
  }

  sendChallengeAnswer(answer: ChallengeAnswer): void {
    this.#challengeAnswers.send(encodeChallengeAnswer(answer))
  }

  sendAddresses(list: readonly DeviceAddress[]): void {
    if (list.length > 0) this.#addresses.send(encodeAddresses(list))
  }

  close(reason: string): void {
    this.link.close(reason)
  }

  ban(reason: string, forMs: number): void {
    this.#options.onBan(this.device, reason, forMs)
  }

  /** Proves ourselves to the other side, as the one who opens first. */
  start(): void {
    this.#isStarted = true
    const { link, keys } = this.#options
    this.#channel.open(ownHandshake(keys, link))
  }

  /** Leaves the share on this connection, which stays. */
  leave(reason: string): void {
    if (this.#isClosed) return
    this.#finish(reason)
    this.#channel.close()
  }

  /** Another connection carries the share now. The other end is not told: it moves by itself. */
  moved(): void {
    this.#finish(MOVED)
  }

  /** The connection is gone. Emits 'close' if there ever was a peer. */
  onLinkClosed(reason: string): void {
    this.#finish(reason)
  }

  #onOpen(remote: Handshake): void {
    const { link, keys } = this.#options
    const grade = gradeOf(remote, keys, link)
    if (grade === undefined) {
      link.close('wrong proof for a share')
      return
    }
    this.#grade = grade
    if (!this.#isStarted) this.start()
    this.#isOpen = true
    this.#options.onPeer(this)
  }

  #onClose(): void {
    if (this.#isClosed) return
    this.#finish('the other side left the share')
    this.#options.onLeft()
  }

  #addMessage(what: string, maxBytesEach: number, deliver: (list: Buffer[]) => void): Message<Buffer> {
    return this.#channel.addMessage({
      encoding: bytesEncoding(MAX_MESSAGE_BYTES, what),
      onmessage: (bytes) => {
        const list = decodeBuffers(bytes, maxBytesEach, what)
        if (list.type === 'violation') {
          this.close(`bad ${what}: ${list.detail}`)
          return
        }
        if (this.isLive) deliver(list.value)
      },
    })
  }

  /** A message that is read as one value, most a list; more of them than the allowance are not looked at. */
  #addList<T>(
    what: string,
    decode: (bytes: Buffer) => Decoded<T>,
    allowance: Allowance,
    deliver: (list: T) => void,
  ): Message<Buffer> {
    return this.#channel.addMessage({
      encoding: bytesEncoding(MAX_MESSAGE_BYTES, what),
      onmessage: (bytes) => {
        const list = decode(bytes)
        if (list.type === 'violation') {
          this.close(`bad ${what}: ${list.detail}`)
          return
        }
        if (allowance.take(performance.now()) && this.isLive) deliver(list.value)
      },
    })
  }

  #finish(reason: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#isOpen) this.emit('close', reason)
    this.removeAllListeners()
  }
}
