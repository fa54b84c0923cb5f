// Members that are asked to prove that they hold pieces: honest ones do, and who cheats is caught. The verifier and the
// member speak over a pair of emitters; nothing here touches a disk or a network.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { describe, it } from 'node:test'
import { auditHasher, claimOf, samplesNeeded } from '../../../src/core/audit.js'
import { ShoalError } from '../../../src/core/error.js'
import { type DeviceId, deviceIdFromKey, type ShareId } from '../../../src/core/ids.js'
import { pieceIdOf } from '../../../src/core/piece.js'
import type { DiskStat } from '../../../src/core/stat.js'
import { Auditee } from '../../../src/daemon/audit/auditee.js'
import { type AuditOutcome, Auditor, type AuditorOptions } from '../../../src/daemon/audit/auditor.js'
import { type DrawnPiece, drawPieces } from '../../../src/daemon/audit/sample.js'
import type { PieceRequest, PieceSource } from '../../../src/exchange/exchange.js'
import { silentLog } from '../../../src/ports/log.js'
import { packLayout } from '../../../src/store/pieces.js'
import type { ShareIndex } from '../../../src/store/share-index.js'
import {
  type ChallengeAnswer,
  type ChallengeMessage,
  decodeChallenge,
  decodeChallengeAnswer,
  encodeChallenge,
  encodeChallengeAnswer,
} from '../../../src/swarm/audit-messages.js'
import { at, fileFact, ME, newIndex, OTHER } from '../share/support.js'

const SHARE = Buffer.alloc(32, 7).toString('hex') as ShareId
const [VERIFIER, PROVER, THIRD] = [1, 2, 3].map((n) => deviceIdFromKey(Buffer.alloc(32, n))) as [
  DeviceId,
  DeviceId,
  DeviceId,
]
const COUNT = 20_000

/** A piece of a share for each number; what is in it does not matter here. */
function sealed(index: number): Buffer {
  const bytes = Buffer.alloc(40, 0x5a)
  bytes.writeUInt32LE(index, 36)
  return bytes
}

class Pieces implements PieceSource {
  lengthOf(): undefined {}

  read(requests: readonly PieceRequest[]): Promise<(Buffer | null)[]> {
    return Promise.resolve(requests.map((request) => this.one(request)))
  }

  one({ writer, index }: PieceRequest): Buffer | null {
    return writer === ME && index < COUNT ? sealed(index) : null
  }
}

/** What the verifier's device has: one file of all pieces, announced by ME. */
function indexOf(count = COUNT): ShareIndex {
  const index = newIndex()
  const pieces = Array.from({ length: count }, (_, i) => ({ id: pieceIdOf(sealed(i)), length: 40 }))
  index.transaction(() => {
    const { number } = index.feeds.byWriter(ME)!
    for (const [i, piece] of pieces.entries()) index.pieces.announce(number, i, piece, true, 0)
    const stat: DiskStat = {
      ...{ type: 'file', mode: 0o644, size: 16 * count, mtimeMs: 1, ctimeMs: 1, ino: 1, dev: 1 },
      ...{ nlink: 1, uid: 0, gid: 0 },
    }
    const applied = { version: [[ME, 1]] as const, fact: fileFact([1]) }
    index.setDisk(at('all'), { applied, stat, drift: undefined }, packLayout(pieces))
  })
  return index
}

class Side extends EventEmitter {
  readonly device: DeviceId
  other: Side | undefined

  constructor(device: DeviceId) {
    super()
    this.device = device
  }

  /** As it goes over the wire. */
  sendChallenge(challenge: ChallengeMessage): void {
    const read = decodeChallenge(encodeChallenge(challenge))
    assert.ok(read.type === 'ok')
    setImmediate(() => this.other?.emit('challenge', read.value))
  }

  sendChallengeAnswer(answer: ChallengeAnswer): void {
    const read = decodeChallengeAnswer(encodeChallengeAnswer(answer))
    assert.ok(read.type === 'ok')
    setImmediate(() => this.other?.emit('challenge-answer', read.value))
  }
}

/** Each side as the other device has it. */
function pair(): { readonly atVerifier: Side; readonly atProver: Side } {
  const [atVerifier, atProver] = [new Side(PROVER), new Side(VERIFIER)]
  atVerifier.other = atProver
  atProver.other = atVerifier
  return { atVerifier, atProver }
}

const index = indexOf()

async function drawn(size = samplesNeeded(COUNT, 0.001, 0.999)): Promise<readonly DrawnPiece[]> {
  const { population, pieces } = await drawPieces(index, size)
  assert.equal(population, COUNT)
  assert.equal(pieces.length, size)
  return pieces
}

/** The verifier audits whoever answers at the other side. */
async function audit(
  answer: (atProver: Side) => void,
  over: Partial<AuditorOptions> = {},
  size?: number,
): Promise<AuditOutcome> {
  const { atVerifier, atProver } = pair()
  answer(atProver)
  return new Auditor({
    ...{ peer: atVerifier, own: VERIFIER, shareId: SHARE, index, source: new Pieces() },
    ...over,
  }).audit(await drawn(size))
}

function auditee(source: PieceSource, own = PROVER): Auditee {
  return new Auditee({
    ...{ source, own, shareId: SHARE, log: silentLog },
    fail: (thrown) => {
      throw thrown
    },
  })
}

const attach = (source: PieceSource) => (side: Side) => auditee(source).attach(side)

describe('an audit', () => {
  it('finds that an honest member has all, and says what that proves', async () => {
    const outcome = await audit(attach(new Pieces()))
    const sampled = samplesNeeded(COUNT, 0.001, 0.999)
    assert.deepEqual([outcome.proved, outcome.missing + outcome.wrong + outcome.silent], [sampled, 0])
    assert.equal(outcome.bytes, 40 * sampled)
    const { mostMissing } = claimOf({ population: COUNT, sampled, failed: 0 }, 0.999)
    assert.ok(mostMissing < COUNT * 0.001)
  })

  it('goes on at a member whose disk fails for a while', async () => {
    class Failing extends Pieces {
      reads = 0
      override async read(requests: readonly PieceRequest[]): Promise<(Buffer | null)[]> {
        if (++this.reads === 2) throw new ShoalError('IO', 'cannot read the pack')
        return super.read(requests)
      }
    }
    const outcome = await audit(attach(new Failing()), {}, 100)
    assert.deepEqual([outcome.wrong, outcome.missing], [0, 0])
    assert.equal(outcome.proved, 100)
  })

  it('catches a member that keeps only the hashes of pieces', async () => {
    class Hashes extends Pieces {
      override one(request: PieceRequest): Buffer {
        return pieceIdOf(super.one(request)!)
      }
    }
    const outcome = await audit(attach(new Hashes()), {}, 500)
    assert.deepEqual([outcome.proved, outcome.wrong], [0, 500])
    assert.deepEqual(outcome.paths, ['all'])
  })

  it('catches a member that has dropped one piece in a hundred and claims to have it', async () => {
    class Most extends Pieces {
      override one(request: PieceRequest): Buffer | null {
        return request.index % 100 === 13 ? Buffer.alloc(40) : super.one(request)
      }
    }
    // That none of the 200 is drawn has a probability of less than 1e-29.
    const outcome = await audit(attach(new Most()))
    assert.ok(outcome.wrong > 0)
    const sampled = samplesNeeded(COUNT, 0.001, 0.999)
    const { leastMissing, mostMissing } = claimOf(
      { population: COUNT, sampled, failed: outcome.wrong },
      0.999_999,
    )
    assert.ok(leastMissing <= 200 && 200 <= mostMissing, `${leastMissing} to ${mostMissing}`)
  })

  it('is honest with one that says what it lacks', async () => {
    class Half extends Pieces {
      override one(request: PieceRequest): Buffer | null {
        return request.index % 2 === 0 ? null : super.one(request)
      }
    }
    const outcome = await audit(attach(new Half()), {}, 1000)
    assert.ok(outcome.missing > 300 && outcome.wrong === 0)
    assert.equal(outcome.proved + outcome.missing, 1000)
  })

  it('catches who answers with what it heard in an earlier audit', async () => {
    const heard = new Map<number, Buffer>()
    const learn = (side: Side): void => {
      side.on('challenge', ({ nonce, pieces }: ChallengeMessage) => {
        const hash = auditHasher({ nonce, shareId: SHARE, verifier: VERIFIER, prover: PROVER })
        for (const piece of pieces) heard.set(piece.index, hash(sealed(piece.index)))
      })
      attach(new Pieces())(side)
    }
    assert.equal((await audit(learn, {}, COUNT)).proved, COUNT)
    const replay = (side: Side): void => {
      side.on('challenge', ({ nonce, pieces }: ChallengeMessage) =>
        side.sendChallengeAnswer({ nonce, pieces: pieces.map((piece) => heard.get(piece.index)!) }),
      )
    }
    assert.equal((await audit(replay, {}, 300)).wrong, 300)
  })

  it('catches who has an honest member answer instead', async () => {
    const relay = (side: Side): void => {
      const [toHonest, atHonest] = [new Side(THIRD), new Side(PROVER)]
      toHonest.other = atHonest
      atHonest.other = toHonest
      auditee(new Pieces(), THIRD).attach(atHonest)
      side.on('challenge', (challenge: ChallengeMessage) => toHonest.sendChallenge(challenge))
      toHonest.on('challenge-answer', (answer: ChallengeAnswer) => side.sendChallengeAnswer(answer))
    }
    assert.equal((await audit(relay, {}, 300)).wrong, 300)
  })

  it('takes no answer, one of another length and one to another challenge for none', async () => {
    const short = (side: Side): void => {
      side.on('challenge', ({ nonce }: ChallengeMessage) => side.sendChallengeAnswer({ nonce, pieces: [] }))
    }
    const other = (side: Side): void => {
      side.on('challenge', ({ pieces }: ChallengeMessage) =>
        side.sendChallengeAnswer({ nonce: Buffer.alloc(32), pieces: pieces.map(() => Buffer.alloc(32)) }),
      )
    }
    for (const answer of [() => undefined, short, other])
      assert.equal((await audit(answer, { answerMs: 5 }, 10)).silent, 10)
  })

  it('gives up who leaves two challenges in a row unanswered, and says nothing of what it did not ask for', async () => {
    let asked = 0
    const silent = (side: Side): void => {
      side.on('challenge', ({ pieces }: ChallengeMessage) => {
        asked += pieces.length
      })
    }
    const outcome = await audit(silent, { answerMs: 1, answerMsPerMib: 0 }, 3000)
    assert.deepEqual([outcome.silent, outcome.proved, outcome.paths], [asked, 0, []])
    assert.ok(asked > 0 && asked < 3000, `${asked}`)
  })

  it('ends when the member leaves', async () => {
    const leaves = (side: Side): void => {
      side.on('challenge', () => side.other!.emit('close'))
    }
    await assert.rejects(audit(leaves, {}, 10), { code: 'MEMBER_UNREACHABLE' })
  })

  it('asks by another number of a piece where the first is not known', async () => {
    const twice = indexOf(50)
    twice.transaction(() => {
      const { number } = twice.feeds.byWriter(OTHER)!
      for (let i = 0; i < 50; i++)
        twice.pieces.announce(number, i, { id: pieceIdOf(sealed(i)), length: 40 }, true, 0)
    })
    // The member has never heard of OTHER, who told last.
    const { atVerifier, atProver } = pair()
    auditee(new Pieces()).attach(atProver)
    class Both extends Pieces {
      override one({ index: number }: PieceRequest): Buffer {
        return sealed(number)
      }
    }
    const { pieces } = await drawPieces(twice, 50)
    const auditor = new Auditor({
      ...{ peer: atVerifier, own: VERIFIER, shareId: SHARE, index: twice, source: new Both() },
    })
    assert.equal((await auditor.audit(pieces)).proved, 50)
  })

  it('says nothing of what the verifier cannot read itself', async () => {
    class Gaps extends Pieces {
      override one(request: PieceRequest): Buffer | null {
        return request.index < 10_000 ? null : super.one(request)
      }
    }
    const outcome = await audit(attach(new Pieces()), { source: new Gaps() }, 1000)
    assert.ok(outcome.unchecked > 300)
    assert.equal(outcome.proved + outcome.unchecked, 1000)
  })
})

describe('who is audited', () => {
  it('has few challenges of one peer wait, and tells the others so', async () => {
    const { atVerifier, atProver } = pair()
    auditee(new Pieces()).attach(atProver)
    const answers: ChallengeAnswer[] = []
    atVerifier.on('challenge-answer', (answer: ChallengeAnswer) => answers.push(answer))
    for (let i = 0; i < 10; i++)
      atProver.emit('challenge', { nonce: Buffer.alloc(32, i), pieces: [{ writer: ME, index: i }] })
    while (answers.length < 10) await once(atVerifier, 'challenge-answer')
    const refused = answers.filter(({ pieces }) => pieces[0] === 'not-now')
    assert.equal(refused.length, 6)
  })

  it('reads nothing more for a peer that has left, and nothing once it is stopped', async () => {
    const reads: number[] = []
    class Counted extends Pieces {
      override read(requests: readonly PieceRequest[]): Promise<(Buffer | null)[]> {
        reads.push(requests.length)
        return super.read(requests)
      }
    }
    const { atVerifier, atProver } = pair()
    const own = auditee(new Counted())
    own.attach(atProver)
    const pieces = Array.from({ length: 256 }, (_, i) => ({ writer: ME, index: i }))
    atProver.emit('challenge', { nonce: Buffer.alloc(32), pieces })
    atProver.emit('close')
    await own.stop()
    assert.ok(reads.length <= 1)
    atVerifier.sendChallenge({ nonce: Buffer.alloc(32), pieces })
    await new Promise((resolve) => setImmediate(resolve))
    assert.ok(reads.length <= 1)
  })
})
