// Inquiries (core/inquiry.ts) of this device and of others, and the answers to them. Why "in sync" can be said of answers:
//
//   Let everybody have answered one inquiry "at rest" with states of one digest and one view of the feeds. Each had looked,
//   after the inquiry was made, at all that its disk had come to hold before. Nobody has anything left to publish or
//   to apply of what that view has, so nobody can be the first to change anything: until a user does, the trees
//   are equal (docs/decisions/0036-convergence.md).
//
// A device's state goes out before the answer that names it, on the same channel, and both are passed on in the order in
// which they came: who knows an answer knows the state, and every member that its maker knew of.
import { Allowance } from '../../core/allowance.js'
import type { DeviceId, ShareId } from '../../core/ids.js'
import {
  decodeInquiry,
  encodeInquiry,
  type InquiryAnswer,
  isAnswerSigned,
  readAnswer,
  type Standing,
  signAnswer,
} from '../../core/inquiry.js'
import type { Log } from '../../ports/log.js'
import type { StatePeer } from './state-book.js'

/** What inquiries and answers are told to; SharePeer fits. */
export interface InquiryPeer extends StatePeer {
  sendInquiries(list: readonly Buffer[]): void
  sendAnswers(list: readonly Buffer[]): void
}

export interface InquiriesOptions {
  readonly own: { readonly device: DeviceId; readonly secretKey: Buffer }
  readonly shareId: ShareId
  readonly nowMs: () => number
  readonly peers: () => readonly InquiryPeer[]
  /** Signs what this device holds now, tells everybody, and says the state's sequence. */
  readonly publishState: () => number
  readonly isMember: (device: DeviceId) => boolean
  /** A member has answered an inquiry of ours: it was there a moment ago. */
  readonly onHeard: (device: DeviceId) => void
  /** Resolves when all that changed on the disk before is seen and announced; may reject where nothing is done now. */
  readonly settle: () => Promise<void>
  readonly standing: () => Standing
  readonly log: Log
  /** Milliseconds of a clock that never goes back. Default: this machine's. */
  readonly monotonicMs?: () => number
}

/** The newest answer of a device. */
export interface HeardAnswer extends InquiryAnswer {
  /** When it came, milliseconds since 1970 by this device's clock. */
  readonly atMs: number
}

interface Open {
  readonly id: string
  round: number
  untilMs: number
  /** All that had changed here when the inquiry came is announced. */
  isSettled: boolean
  readonly isOurs: boolean
  /** Who told of it first. */
  readonly by: InquiryPeer | undefined
  /** When it was last told to others. */
  passedMs: number
  /** Whether the answer of this device is to be said again, and when it was said last. */
  isAskedAgain: boolean
  saidMs: number
  readonly answers: Map<DeviceId, KeptAnswer>
}

interface KeptAnswer extends HeardAnswer {
  /** The newest round when it came. */
  readonly round: number
  readonly bytes: Buffer
}

/** An inquiry that is not repeated for so long is over. */
const LIFE_MS = 10_000
/** Ours is repeated this often while somebody wants to know. */
const REPEAT_MS = 2000
/** Who has not said its answer again for so many rounds may be gone since, and what it said counts no longer. */
const FRESH_ROUNDS = 3
/** However fast rounds come, an answer is said again no faster than this. */
const AGAIN_MS = 1000
/** How often it is looked whether this device has come to rest, while it was asked. */
const LOOK_MS = 25
/** Before what failed is tried again. */
const SETTLE_AGAIN_MS = 500
/** At one time, those of others; each costs every member a look at what has changed on its disk. */
const MAX_OPEN = 128
/** New ones from others that are followed at once, and how fast the allowance grows back. */
const BURST = 32
const REFILL_MS = 500
/** The same of one peer, and how many of its may be open: one that floods leaves room for what others want to know. */
const PEER_BURST = 16
const PEER_REFILL_MS = 2000
const PEER_MAX_OPEN = 32
/** Rounds are passed on no faster; whoever asks makes one in REPEAT_MS, and each costs a message between any two members. */
const PASS_MS = 500
/** Lines of the log about what is refused, and how fast the allowance grows back. */
const REFUSED_BURST = 16
const REFUSED_REFILL_MS = 10_000

export class Inquiries {
  readonly #o: InquiriesOptions
  readonly #open = new Map<string, Open>()
  readonly #allowance = new Allowance(BURST, REFILL_MS)
  readonly #peerAllowances = new WeakMap<InquiryPeer, Allowance>()
  readonly #refusals = new Allowance(REFUSED_BURST, REFUSED_REFILL_MS)
  #number = 0
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: InquiriesOptions) {
    this.#o = options
  }

  /** Asks everybody, this device too, with a random id that nobody knows yet. It is over soon, unless it is renewed. */
  ask(id: string): void {
    this.#dropOld()
    this.#begin({ id, round: 0 }, true)
  }

  /** Keeps an inquiry of ours open. False if there is none of that id (any more): ask anew. */
  renew(id: string): boolean {
    this.#dropOld()
    const open = this.#open.get(id)
    if (open?.isOurs !== true) return false
    const now = this.#nowMs()
    if (open.untilMs - now > LIFE_MS - REPEAT_MS) return true
    open.round++
    open.untilMs = now + LIFE_MS
    for (const peer of this.#o.peers()) peer.sendInquiries([encodeInquiry(open)])
    return true
  }

  /** The newest answer of each device to an inquiry, this one's too; not of who has fallen silent since. */
  answers(id: string): ReadonlyMap<DeviceId, HeardAnswer> {
    const open = this.#open.get(id)
    return new Map(open === undefined ? [] : this.#fresh(open))
  }

  /** What a new peer has to know; after all states (members.ts). */
  greet(peer: InquiryPeer): void {
    this.#dropOld()
    const open = [...this.#open.values()]
    if (open.length === 0) return
    peer.sendInquiries(open.map(encodeInquiry))
    const answers = open.flatMap((each) => this.#fresh(each).map(([, { bytes }]) => bytes))
    if (answers.length > 0) peer.sendAnswers(answers)
  }

  receiveInquiries(from: InquiryPeer, list: readonly Buffer[]): void {
    this.#dropOld()
    for (const bytes of list) {
      const decoded = decodeInquiry(bytes)
      if (decoded.type === 'violation') {
        this.#refuse(from, decoded.code, 'inquiry refused')
        continue
      }
      const { id, round } = decoded.value
      const known = this.#open.get(id)
      if (known === undefined) this.#begin(decoded.value, false, from)
      else if (round > known.round && !known.isOurs) {
        const now = this.#nowMs()
        known.round = round
        known.untilMs = now + LIFE_MS
        known.isAskedAgain = true
        if (now - known.passedMs < PASS_MS) continue
        known.passedMs = now
        this.#pass(from, (peer) => peer.sendInquiries([encodeInquiry(known)]))
      }
    }
  }

  receiveAnswers(from: InquiryPeer, list: readonly Buffer[]): void {
    const news: Buffer[] = []
    for (const bytes of list) if (this.#take(bytes, from)) news.push(Buffer.from(bytes))
    if (news.length > 0) this.#pass(from, (peer) => peer.sendAnswers(news))
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
    this.#open.clear()
  }

  #begin({ id, round }: { id: string; round: number }, isOurs: boolean, from?: InquiryPeer): void {
    const now = this.#nowMs()
    if (this.#stopped || (from !== undefined && !this.#mayBegin(from, now))) return
    const open: Open = {
      ...{ id, round, isOurs, by: from, untilMs: now + LIFE_MS, saidMs: now, passedMs: now },
      ...{ isSettled: false, isAskedAgain: false, answers: new Map() },
    }
    this.#open.set(id, open)
    this.#pass(from, (peer) => peer.sendInquiries([encodeInquiry(open)]))
    // At once, so that whoever asks knows that this device can be reached.
    this.#answer(open, 'working')
    void this.#settle(open)
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS)
  }

  #mayBegin(from: InquiryPeer, nowMs: number): boolean {
    if (this.#open.size >= MAX_OPEN) return false
    const own = [...this.#open.values()].filter(({ by }) => by === from).length
    if (own >= PEER_MAX_OPEN) return false
    const allowance = this.#peerAllowances.get(from) ?? new Allowance(PEER_BURST, PEER_REFILL_MS)
    this.#peerAllowances.set(from, allowance)
    return allowance.take(nowMs) && this.#allowance.take(nowMs)
  }

  /** Of a shower of the same, not all is told. */
  #refuse(from: InquiryPeer, code: string, what: string): void {
    if (this.#refusals.take(this.#nowMs())) this.#o.log.warn({ peer: from.device, code }, what)
  }

  /** Of a share that is halted nothing can be settled; once it is approved, its whole disk is looked at (A5). */
  async #settle(open: Open): Promise<void> {
    const { settle, standing, log } = this.#o
    while (!open.isSettled && !this.#stopped && this.#open.has(open.id)) {
      try {
        await settle()
        open.isSettled = true
      } catch (err) {
        open.isSettled = standing() === 'halted'
        if (!open.isSettled) log.warn({ err }, 'asked where it stands, and cannot look at the disk now')
      }
      if (!open.isSettled) await new Promise((resolve) => setTimeout(resolve, SETTLE_AGAIN_MS))
    }
    this.#look()
  }

  /** Answers what was asked, if something else is to be said than was said last. */
  #look(): void {
    this.#dropOld()
    if (this.#stopped) return
    if (this.#open.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    for (const open of this.#open.values()) this.#sayAgain(open)
    const standing = this.#o.standing()
    if (standing === 'working') return
    const sequence = this.#o.publishState()
    for (const open of this.#open.values()) {
      if (!open.isSettled) continue
      const said = open.answers.get(this.#o.own.device)
      if (said?.standing !== standing || said.sequence !== sequence) this.#answer(open, standing, sequence)
    }
  }

  /** Also while this device is at work again: that it was at rest once is as true as before, for as long as its state stands. */
  #sayAgain(open: Open): void {
    const said = open.answers.get(this.#o.own.device)
    if (!open.isAskedAgain || said === undefined || this.#nowMs() < open.saidMs + AGAIN_MS) return
    this.#answer(open, said.standing, said.sequence)
  }

  #fresh({ round, answers }: Open): [DeviceId, KeptAnswer][] {
    const { device: own } = this.#o.own
    return [...answers].filter(([device, answer]) => device === own || round - answer.round <= FRESH_ROUNDS)
  }

  #nowMs(): number {
    return this.#o.monotonicMs?.() ?? performance.now()
  }

  #answer(open: Open, standing: Standing, sequence: number = this.#o.publishState()): void {
    const { own, shareId, nowMs, peers } = this.#o
    // Higher than those of an earlier run of this device, which may have answered the same inquiry.
    this.#number = Math.max(this.#number + 1, nowMs())
    const answer = { device: own.device, inquiry: open.id, number: this.#number, sequence, standing }
    const bytes = signAnswer(answer, own.secretKey, shareId)
    open.answers.set(own.device, { ...answer, atMs: nowMs(), round: open.round, bytes })
    open.isAskedAgain = false
    open.saidMs = this.#nowMs()
    for (const peer of peers()) peer.sendAnswers([bytes])
  }

  /** Whether an answer is news. */
  #take(bytes: Buffer, from: InquiryPeer): boolean {
    const { own, shareId, isMember, onHeard, nowMs } = this.#o
    const read = readAnswer(bytes)
    const open = read.type === 'ok' ? this.#open.get(read.value.inquiry) : undefined
    if (read.type === 'violation') this.#refuse(from, read.code, 'answer refused')
    if (read.type === 'violation' || open === undefined) return false
    const { device, number } = read.value
    if (device === own.device || !isMember(device)) return false
    if ((open.answers.get(device)?.number ?? -1) >= number) return false
    if (!isAnswerSigned(bytes, shareId)) {
      this.#refuse(from, 'bad-signature', 'answer refused')
      return false
    }
    const { round } = open
    open.answers.set(device, { ...read.value, atMs: nowMs(), round, bytes: Buffer.from(bytes) })
    if (open.isOurs) onHeard(device)
    return true
  }

  #pass(from: InquiryPeer | undefined, send: (peer: InquiryPeer) => void): void {
    for (const peer of this.#o.peers()) if (peer !== from) send(peer)
  }

  #dropOld(): void {
    const now = this.#nowMs()
    for (const open of this.#open.values()) if (open.untilMs < now) this.#open.delete(open.id)
  }
}
