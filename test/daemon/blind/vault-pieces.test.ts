// A blind node that cannot read its vault for a while: what peers asked for meanwhile is told again once it can.
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { ShoalError } from '../../../src/core/error.js'
import { blake3 } from '../../../src/core/hash.js'
import type { WriterId } from '../../../src/core/ids.js'
import { VaultPieces, type VaultPiecesOptions } from '../../../src/daemon/blind/vault-pieces.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { TooManyBytes } from '../../../src/exchange/too-many-bytes.js'

const WRITER = '07'.repeat(8) as WriterId
const AWAY = new ShoalError('BUCKET_UNREACHABLE', 'cannot read 00000001.pack: nobody listens there')

interface Bed {
  readonly pieces: VaultPieces
  readonly problems: ProblemBook
  /** Numbers that cannot be read, and those that are gone. */
  readonly away: Set<number>
  readonly gone: Set<number>
  /** Resolves with what is told to peers next. */
  readonly told: () => Promise<readonly number[]>
}

function bed(): Bed {
  const problems = new ProblemBook(() => 7)
  const [away, gone] = [new Set<number>(), new Set<number>()]
  const idOf = (number: number): Buffer => blake3(Buffer.from([number]))
  const numberOf = (id: Buffer): number => [...Array(100).keys()].find((at) => idOf(at).equals(id))!
  let tell: (numbers: readonly number[]) => void = () => assert.fail('nobody waits for it')
  const vault = {
    has: (id: Buffer) => !gone.has(numberOf(id)),
    lengthOf: (id: Buffer) => (gone.has(numberOf(id)) ? undefined : 1),
    read: async (ids: readonly Buffer[]) => {
      if (ids.some((id) => away.has(numberOf(id)))) throw AWAY
      return ids.map((id) => (gone.has(numberOf(id)) ? null : Buffer.from([numberOf(id)])))
    },
  }
  const index = {
    feeds: { byWriter: () => ({ number: 1 }) },
    at: (_feed: number, number: number) =>
      number < 100 ? { id: idOf(number), length: number === 99 ? 2 : 1 } : undefined,
  } as unknown as VaultPiecesOptions['index']
  const pieces = new VaultPieces({
    ...{ index, problems, vault: () => vault, retryMs: 1 },
    onServable: (writer, numbers) => {
      assert.equal(writer, WRITER)
      tell(numbers)
    },
  })
  const told = (): Promise<readonly number[]> =>
    new Promise((resolve) => {
      tell = resolve
    })
  return { pieces, problems, away, gone, told }
}

const asked = (...numbers: number[]): { writer: WriterId; index: number }[] =>
  numbers.map((index) => ({ writer: WRITER, index }))

describe('pieces out of a vault', () => {
  // The timers tried here keep no process alive.
  const alive = setInterval(() => {}, 1000)
  after(() => clearInterval(alive))

  it('are not read where they come to more than is said', async () => {
    const { pieces, away } = bed()
    assert.deepEqual(await pieces.read(asked(1, 2, 200), 2), [Buffer.from([1]), Buffer.from([2]), null])
    for (const number of [1, 2, 3]) away.add(number)
    await assert.rejects(pieces.read(asked(1, 2, 3), 2), TooManyBytes)
    pieces.stop()
  })

  it('are told again when the vault can be read again, those that are still there', async () => {
    const { pieces, problems, away, gone, told } = bed()
    assert.deepEqual(await pieces.read(asked(3, 200)), [Buffer.from([3]), null])
    for (const number of [1, 2, 3, 4]) away.add(number)
    const again = told()
    await assert.rejects(pieces.read(asked(1, 2, 200)), AWAY)
    await assert.rejects(pieces.read(asked(3)), AWAY)
    const [problem] = problems.list()
    assert.deepEqual(
      [problem?.code, problem?.detail],
      ['BUCKET_UNREACHABLE', `${AWAY.message}; it is tried again`],
    )
    gone.add(2)
    away.clear()
    assert.deepEqual(await again, [1, 3])
    assert.deepEqual(problems.list(), [])
    pieces.stop()
  })

  it('are not given under a number that says another length: that piece, nobody has', async () => {
    const { pieces } = bed()
    assert.deepEqual(await pieces.read(asked(99, 98)), [null, Buffer.from([98])])
    pieces.stop()
  })

  it('that lie where nothing can be read do not hold up the others', async () => {
    const { pieces, away, told } = bed()
    away.add(1)
    const again = told()
    // Together: what fails is the whole read.
    await assert.rejects(pieces.read(asked(1, 2, 3)), AWAY)
    assert.deepEqual(await again, [2, 3, 1])
    pieces.stop()
  })

  it('are tried no more once it stops', async () => {
    const { pieces, away } = bed()
    away.add(1)
    await assert.rejects(pieces.read(asked(1)), AWAY)
    pieces.stop()
    await assert.rejects(pieces.read(asked(1)), AWAY)
  })
})
