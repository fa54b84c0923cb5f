// A blind share's vault is opened and closed while work goes on: neither end is taken for a fault.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { signCertificate } from '../../../src/core/certificate.js'
import { blake3 } from '../../../src/core/hash.js'
import type { DeviceId } from '../../../src/core/ids.js'
import { KEEP_ALL } from '../../../src/core/retention.js'
import { keysOf, writeSecretOf } from '../../../src/core/secret.js'
import { Keeping } from '../../../src/daemon/blind/keeping.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { Exchange } from '../../../src/exchange/exchange.js'
import { silentLog } from '../../../src/ports/log.js'
import { BlindIndex } from '../../../src/store/blind-index.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import type { SharePeer } from '../../../src/swarm/share-channel.js'
import { FolderStorage } from '../../../src/vault/folder-storage.js'
import { Vault } from '../../../src/vault/vault.js'
import { patternBytes } from '../../core/piece-pattern.js'
import { keyPairOf, World } from '../../feed/helpers.js'

const KEYS = keysOf(writeSecretOf(patternBytes(32, 5)))
const DEVICE = 'ab'.repeat(32) as DeviceId
const PIECES = Array.from({ length: 3000 }, (_, i) => Buffer.alloc(100, `piece ${i} `)).map((bytes) => ({
  ...{ id: blake3(bytes), bytes },
}))

interface Place {
  readonly folder: string
  readonly world: World
  readonly database: MemoryDatabase
  readonly failures: unknown[]
  readonly problems: ProblemBook
  readonly open: (signal: AbortSignal) => Promise<Keeping>
}

async function withVault(body: (place: Place) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-keeping-'))
  const world = new World()
  const [database, failures, problems] = [new MemoryDatabase(), [] as unknown[], new ProblemBook(() => 7)]
  const exchange = new Exchange({
    device: DEVICE,
    source: { read: async () => [], lengthOf: () => undefined },
    log: silentLog,
    seed: 1,
  })
  try {
    const vault = await Vault.open({
      ...{ storage: await FolderStorage.open(folder), shareId: KEYS.shareId, database: new MemoryDatabase() },
      log: silentLog,
    })
    await vault.add({ pieces: PIECES })
    await vault.close()
    const store = await world.store()
    const open = async (signal: AbortSignal): Promise<Keeping> =>
      Keeping.open({
        ...{ keys: KEYS, storage: await FolderStorage.open(folder), database, vaultPrefix: 'v:', store },
        ...{ index: new BlindIndex(database, 'x:'), exchange, problems, log: silentLog, signal },
        ...{ policy: () => KEEP_ALL, nowMs: () => 7, peers: () => [], onChange: () => {} },
        countDamage: () => undefined,
        meta: { hasLosses: false },
        fail: (thrown) => failures.push(thrown),
      })
    await body({ folder, world, database, failures, problems, open })
  } finally {
    exchange.close()
    await world.close()
    await rm(folder, { recursive: true })
  }
}

describe('a blind share at work on its vault', () => {
  it('is left while the vault is opened, at any turn, and the next finds all of it', async () => {
    await withVault(async ({ failures, problems, open }) => {
      let aborted = 0
      for (let at = 0; ; at = Math.ceil(at * 1.5) + 1) {
        const abort = new AbortController()
        let turns = 0
        let isOver = false
        const tick = (): void => {
          if (turns++ === at) abort.abort(new Error('the share stops'))
          if (!isOver) setImmediate(tick)
        }
        tick()
        // The folder's lock refuses it if the one before has not given it back.
        const keeping = await open(abort.signal).catch((thrown: unknown) => {
          assert.match(String(thrown), /the share stops/)
          return undefined
        })
        isOver = true
        if (keeping === undefined) {
          aborted++
          continue
        }
        assert.equal(keeping.vault.stats().pieces, PIECES.length)
        await keeping.stop()
        break
      }
      assert.ok(aborted >= 3, `left ${aborted} times`)
      assert.deepEqual([failures, problems.list()], [[], []])
    })
  })

  it('a pack that cannot be read is a problem until it can, and the rest is kept', async () => {
    await withVault(async ({ folder, failures, problems, open }) => {
      const stray = join(folder, 'packs', '00000009.pack')
      await mkdir(stray)
      const beside = await open(new AbortController().signal)
      assert.equal(beside.vault.stats().pieces, PIECES.length)
      const [problem, ...others] = problems.list()
      assert.match(`${problem?.code} ${problem?.detail}`, /^VAULT_DAMAGED cannot read pack 00000009\.pack/)
      assert.deepEqual(others, [])
      await beside.stop()
      await rm(stray, { recursive: true })
      const after = await open(new AbortController().signal)
      await after.stop()
      assert.deepEqual([failures, problems.list()], [[], []])
    })
  })

  it('stops while it writes, compacts and opens feeds, and none of that is a fault', async () => {
    await withVault(async ({ failures, problems, open }) => {
      const keeping = await open(new AbortController().signal)
      const { publicKey } = keyPairOf(3)
      const body = { shareId: KEYS.shareId, device: DEVICE, deviceName: 'writer', epoch: 0 }
      const certificate = signCertificate({ ...body, feedKey: publicKey }, KEYS.write!.signingSecretKey)
      const peer = {
        ...{ device: DEVICE, sendCertificates: () => {} },
        ban: (why: string) => assert.fail(why),
      } as unknown as SharePeer
      keeping.feeds.receive(peer, [certificate])
      keeping.keeper.renew()
      const others = [
        keeping.vault.add({ certificates: [certificate] }),
        keeping.vault.drop(PIECES.map(({ id }) => id)),
        keeping.vault.compact({ minDeadBytes: 1 }),
        keeping.vault.add({ pieces: [PIECES[0]!] }),
      ]
      const stopped = keeping.stop()
      for (const outcome of await Promise.allSettled(others))
        if (outcome.status === 'rejected') assert.match(String(outcome.reason), /the vault is closed/)
      await stopped
      assert.deepEqual([failures, problems.list()], [[], []])
    })
  })
})
