// The inviting side: makes invites, lets guests find this device by them while they are open, and hands the secret to
// the first who proves the code. Only the device that made an invite knows it; others of the share do not.
//
//   I2  Both sides prove the code over the hash of this very Noise handshake, the guest first; who does not gets nothing.
//   I3  An invite is used durably before its secret is sent. If the guest did not get it all the same, it is used up.
//   I4  A try that names an open invite and does not prove it is counted durably; MAX_WRONG_TRIES end it.
//   I5  It ends by use, expiry, revocation, wrong tries, with the share's secret, and with the device's identity.
//   I6  The code is in the answer to create() and nowhere else: not on disk, in no log, in no status.
import { randomBytes } from 'node:crypto'
import { ShoalError } from '../core/error.js'
import type { DeviceId, ShareId } from '../core/ids.js'
import { formatInvite, INVITE_BYTES, type InviteKeys, inviteKeysOf, inviteOf } from '../core/invite.js'
import { derive } from '../core/keys.js'
import { NONCE_BYTES } from '../core/seal.js'
import { deriveSecret, formatSecret, keysOf, type Secret } from '../core/secret.js'
import type { Log } from '../ports/log.js'
import { hostGroup } from '../swarm/endpoint.js'
import type { MeetingPoint, SearchWays } from '../swarm/finders.js'
import type { GuestDoor, GuestLink, GuestTalk } from '../swarm/guest.js'
import { inviteProof, sameProof } from '../swarm/proof.js'
import { HostTalk } from './host-talk.js'
import { decodeInviteGate, encodeInviteSecret, type InviteGrade } from './messages.js'
import {
  afterUse,
  afterWrongTry,
  type InviteRecord,
  isExpired,
  MAX_WRONG_TRIES,
  type OpenInvite,
  sealKeys,
  unsealKeys,
} from './record.js'
import { type InviteFile, InviteStore } from './store.js'
import { TryLimit } from './try-limit.js'

/** A share that there can be invites for. */
export interface InviteShare {
  readonly secret: Secret
  /** For people: the name of its folder. */
  readonly name: string
  readonly ways: SearchWays
}

/** Lets guests find this device, see Swarm. */
export interface Meeting {
  host(point: MeetingPoint, ways: SearchWays): void
  leave(id: string): void
}

export interface InviteHostOptions {
  readonly device: DeviceId
  readonly deviceName: string
  readonly shares: readonly InviteShare[]
  readonly file: InviteFile
  readonly log: Log
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
}

/** Open at a time, on one device. */
export const MAX_OPEN_INVITES = 32
/** Shortest and longest life of an invite. */
export const INVITE_LIFE_MS: readonly [number, number] = [1_000, 30 * 86_400_000]
/** A timer waits no longer, so that a clock that was set is noticed. */
const LOOK_MS = 60_000

export class InviteHost implements GuestDoor {
  readonly #options: InviteHostOptions
  readonly #log: Log
  readonly #store: InviteStore
  #shares: readonly InviteShare[]
  /** Of the open ones, by id. */
  readonly #keys = new Map<string, InviteKeys>()
  readonly #tries = new TryLimit(() => performance.now())
  #meeting: Meeting | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  /** Expired ones could not be removed; tried again now and then. */
  #isStuck = false

  /** Throws what reading the file throws; a damaged one is logged, and there are no invites then. */
  constructor(options: InviteHostOptions) {
    this.#options = options
    this.#log = options.log
    this.#shares = options.shares
    this.#store = new InviteStore(options.file)
    if (this.#store.isDamaged)
      this.#log.error(
        { file: options.file.path },
        'the file of invites is damaged: all that were open are over',
      )
  }

  /** Opens what is kept from earlier runs. `isStrange`: the storage was copied or restored, so all invites are over (F4). */
  start(meeting: Meeting, isStrange: boolean): void {
    this.#meeting = meeting
    this.#dropExpired()
    for (const record of isStrange ? [] : this.#open()) {
      const keys = this.#unseal(record)
      if (keys !== undefined) this.#keys.set(record.id, keys)
    }
    this.#dropShut()
    for (const record of this.#open()) this.#announce(record)
    this.#look()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#keys.clear()
  }

  /** There can be invites for one more share, which comes last. */
  addShare(share: InviteShare): void {
    this.#shares = [...this.#shares, share]
  }

  /** The share at this place is to be found otherwise from now on; open invites as before. */
  changeShare(at: number, share: InviteShare): void {
    this.#shares = this.#shares.map((each, i) => (i === at ? share : each))
  }

  /** The share at this place is gone: its open invites are over (I5). */
  removeShare(at: number): void {
    const share = this.#shares[at]
    if (share === undefined) return
    const { shareId } = keysOf(share.secret)
    for (const record of this.#open()) if (record.share === shareId) this.#shut(record.id)
    this.#shares = this.#shares.filter((each) => each !== share)
    this.#dropShut()
  }

  /** All that has not expired, oldest first. */
  list(): readonly InviteRecord[] {
    this.#dropExpired()
    const nowMs = this.#options.nowMs()
    return this.#store.records.filter((record) => !isExpired(record, nowMs))
  }

  /**
   * Makes an invite for the share at a place in the list of shares. The text is told this once.
   * @throws ShoalError SECRET_GRADE: above the grade of this device; USAGE: its life, or too many open; NOT_FOUND;
   * STORAGE_UNUSABLE: it cannot be written
   */
  create(
    at: number,
    grade: InviteGrade,
    lifeMs: number,
  ): { readonly record: OpenInvite; readonly text: string } {
    const share = this.#shares[at]
    if (share === undefined)
      throw new ShoalError('NOT_FOUND', `there is no share ${at} in this configuration`)
    const [least, most] = INVITE_LIFE_MS
    if (!(lifeMs >= least && lifeMs <= most))
      throw new ShoalError('USAGE', 'an invite lives for a second at least and for 30 days at most')
    // Throws for what cannot be handed on.
    deriveSecret(share.secret, grade)
    this.#dropExpired()
    if (this.#open().length >= MAX_OPEN_INVITES)
      throw new ShoalError('USAGE', `there are ${MAX_OPEN_INVITES} open invites already; revoke some of them`)
    const invite = this.#freshInvite()
    const keys = inviteKeysOf(invite)
    const createdMs = this.#options.nowMs()
    const facts = {
      id: randomBytes(4).toString('hex'),
      share: keysOf(share.secret).shareId,
      grade,
      createdMs,
      expiresMs: createdMs + Math.round(lifeMs),
      name: keys.name,
    }
    const sealed = sealKeys(
      storeKeyOf(share.secret),
      randomBytes(NONCE_BYTES),
      keys,
      facts,
      this.#options.device,
    )
    const record: OpenInvite = { type: 'open', ...facts, wrongTries: 0, sealed }
    this.#store.add(record)
    this.#keys.set(record.id, keys)
    this.#announce(record)
    this.#look()
    this.#log.info(
      { invite: record.id, grade, expires: new Date(record.expiresMs).toISOString() },
      'an invite is open',
    )
    return { record, text: formatInvite(invite) }
  }

  /** Ends an open invite, or forgets a closed one. @throws ShoalError NOT_FOUND, STORAGE_UNUSABLE */
  revoke(id: string): void {
    // First of all, and even if it cannot be written.
    this.#shut(id)
    const [gone] = this.#store.keepOnly((record) => record.id !== id)
    if (gone === undefined) throw new ShoalError('NOT_FOUND', 'there is no invite with this id')
    this.#log.info({ invite: id, was: gone.type }, 'an invite is revoked')
  }

  /** GuestDoor: somebody names an invite and proves it, or does not. */
  enter(frame: Buffer, link: GuestLink): GuestTalk | string {
    const gate = decodeInviteGate(frame)
    if (gate.type === 'violation') return `bad invite gate: ${gate.detail}`
    if (this.#isClosed || !this.#tries.take(hostGroup(link.remote.host))) return 'too many tries at invites'
    this.#dropExpired()
    const record = this.#open().find(({ name }) => name === gate.value.name)
    const keys = record === undefined ? undefined : this.#keys.get(record.id)
    if (record === undefined || keys === undefined) return 'no invite proven'
    const { handshakeHash } = link
    if (!sameProof(inviteProof(keys.authKey, 'initiator', handshakeHash), gate.value.proof)) {
      this.#onWrongTry(record, link.address)
      return 'no invite proven'
    }
    const offer = {
      proof: inviteProof(keys.authKey, 'responder', handshakeHash),
      grade: record.grade,
      shareName: this.#shareOf(record.share)?.name ?? '',
      deviceName: this.#options.deviceName,
    }
    return new HostTalk(link, offer, {
      take: () => this.#take(record.id, link),
      done: () => this.#confirm(record.id),
      lost: () =>
        this.#log.warn(
          { invite: record.id, address: link.address },
          'an invite is used, but its guest did not confirm: if they have no secret, make another',
        ),
    })
  }

  /** The frame with the secret, once; undefined if the invite is over. */
  #take(id: string, link: GuestLink): Buffer | undefined {
    this.#dropExpired()
    const record = this.#open().find((each) => each.id === id)
    const keys = this.#keys.get(id)
    const share = record === undefined ? undefined : this.#shareOf(record.share)
    if (this.#isClosed || record === undefined || keys === undefined || share === undefined) return undefined
    const { handshakeHash, address } = link
    const secret = formatSecret(deriveSecret(share.secret, record.grade))
    const frame = encodeInviteSecret(keys.sealKey, randomBytes(NONCE_BYTES), handshakeHash, secret)
    try {
      this.#store.replace(afterUse(record, address, this.#options.nowMs()))
    } catch (err) {
      this.#log.error({ err, invite: id }, 'an invite cannot be used: its state cannot be written')
      return undefined
    }
    this.#shut(id)
    this.#log.info({ invite: id, grade: record.grade, address }, 'an invite is used')
    return frame
  }

  #confirm(id: string): void {
    const record = this.#store.records.find((each) => each.id === id)
    if (record?.type !== 'used') return
    try {
      this.#store.replace({ ...record, isConfirmed: true })
    } catch (err) {
      this.#log.warn({ err, invite: id }, 'cannot note that an invite was confirmed')
    }
  }

  #onWrongTry(record: OpenInvite, address: string): void {
    const after = afterWrongTry(record, this.#options.nowMs())
    const { id, wrongTries } = after
    try {
      this.#store.replace(after)
    } catch (err) {
      // Uncounted it could be tried for ever.
      this.#log.error({ err, invite: id }, 'an invite is shut: its wrong tries cannot be written')
      this.#shut(id)
      return
    }
    if (after.type === 'open')
      this.#log.warn({ invite: id, address, wrongTries, of: MAX_WRONG_TRIES }, 'a wrong try at an invite')
    else {
      this.#log.error({ invite: id, address, wrongTries }, 'an invite is ended: too many wrong tries')
      this.#shut(id)
    }
  }

  #open(): OpenInvite[] {
    const nowMs = this.#options.nowMs()
    return this.#store.records
      .filter((record) => record.type === 'open')
      .filter((one) => !isExpired(one, nowMs))
  }

  #freshInvite(): ReturnType<typeof inviteOf> {
    const names = new Set(this.#open().map(({ name }) => name))
    for (;;) {
      const invite = inviteOf(randomBytes(INVITE_BYTES))
      if (!names.has(inviteKeysOf(invite).name)) return invite
    }
  }

  #unseal(record: OpenInvite): InviteKeys | undefined {
    const share = this.#shareOf(record.share)
    if (share === undefined) return undefined
    return unsealKeys(storeKeyOf(share.secret), record, this.#options.device)
  }

  #shareOf(id: ShareId): InviteShare | undefined {
    return this.#shares.find(({ secret }) => keysOf(secret).shareId === id)
  }

  #announce({ id, share }: OpenInvite): void {
    const keys = this.#keys.get(id)
    const ways = this.#shareOf(share)?.ways
    if (keys !== undefined && ways !== undefined)
      this.#meeting?.host({ id: `invite ${id}`, topic: keys.topic, beaconKey: keys.beaconKey }, ways)
  }

  /** No longer there to be found or proven. */
  #shut(id: string): void {
    this.#keys.delete(id)
    this.#meeting?.leave(`invite ${id}`)
  }

  #dropExpired(): void {
    const nowMs = this.#options.nowMs()
    const expired = this.#store.records.filter((record) => isExpired(record, nowMs))
    if (expired.length === 0) return
    for (const { id, type } of expired) {
      if (type === 'open' && this.#keys.has(id)) this.#log.info({ invite: id }, 'an invite has expired')
      this.#shut(id)
    }
    try {
      this.#store.keepOnly((record) => !isExpired(record, nowMs))
      this.#isStuck = false
    } catch (err) {
      if (!this.#isStuck) this.#log.error({ err }, 'cannot remove expired invites; they are shut')
      this.#isStuck = true
    }
  }

  /** Forgets open ones that this device cannot open any more. */
  #dropShut(): void {
    try {
      const gone = this.#store.keepOnly(({ type, id }) => type !== 'open' || this.#keys.has(id))
      for (const { id } of gone)
        this.#log.warn({ invite: id }, 'an invite is over: its share or this device changed')
    } catch (err) {
      this.#log.error({ err }, 'cannot remove invites that are over; they are shut')
    }
  }

  /** Waits for the next to expire, so that it is not announced for longer. */
  #look(): void {
    clearTimeout(this.#timer)
    const next = Math.min(...this.#store.records.map(({ expiresMs }) => expiresMs))
    if (this.#isClosed || !Number.isFinite(next)) return
    const waitMs = this.#isStuck ? LOOK_MS : Math.max(100, Math.min(LOOK_MS, next - this.#options.nowMs()))
    this.#timer = setTimeout(() => {
      this.#dropExpired()
      this.#look()
    }, waitMs)
    this.#timer.unref()
  }
}

function storeKeyOf({ key, publicKey }: Secret): Buffer {
  return derive('inviteStoreKey', key, publicKey)
}
