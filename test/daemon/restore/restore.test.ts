// Restoring from a vault in a folder that nobody may write to: all of it, parts, gone on with, and what must not happen.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { RelPath } from '../../../src/core/path.js'
import { deriveSecret, formatSecret, writeSecretOf } from '../../../src/core/secret.js'
import { NO_VERSION } from '../../../src/core/version.js'
import { browse } from '../../../src/daemon/restore/browse.js'
import type { RestorableVault } from '../../../src/daemon/restore/from-vault.js'
import type { RestoreReport } from '../../../src/daemon/restore/report.js'
import { type RestoreOptions, restore } from '../../../src/daemon/restore/restore.js'
import { FolderPool } from '../../../src/folder/pool.js'
import { PastWorld } from '../../support/past-world.js'
import { differencesOf, snapshot } from '../../support/trees.js'

const pool = new FolderPool()
after(() => pool.close())

const at = (text: string): RelPath => text as RelPath

describe('restore', () => {
  let home: string
  let world: PastWorld
  let vault: string
  let to: string

  before(async () => {
    home = fs.mkdtempSync(path.join(tmpdir(), 'shoal-restore-'))
    world = await PastWorld.make(7, home, 2)
    const { dir } = world
    fs.mkdirSync(path.join(dir, 'a/deep/er'), { recursive: true })
    fs.writeFileSync(path.join(dir, 'a/deep/er/one'), 'one\n')
    fs.writeFileSync(path.join(dir, 'big'), Buffer.alloc(700_000, 'shoal '))
    fs.writeFileSync(path.join(dir, 'empty'), '')
    fs.symlinkSync('/etc/passwd', path.join(dir, 'link'))
    fs.chmodSync(path.join(dir, 'a'), 0o710)
    await world.publish(0)
    world.nowMs += 3_600_000
    fs.writeFileSync(path.join(dir, 'a/two'), 'two\n')
    fs.writeFileSync(path.join(dir, 'big'), 'small now\n', { mode: 0o600 })
    fs.rmSync(path.join(dir, 'empty'))
    fs.utimesSync(path.join(dir, 'a/deep'), 1e9, 1e9)
    await world.publish(1)
    vault = path.join(home, 'vault')
    await world.writeVault(vault)
  })
  after(async () => {
    await world.close()
    fs.rmSync(home, { recursive: true, force: true })
  })
  beforeEach(() => {
    to = fs.mkdtempSync(path.join(home, 'to-'))
  })
  afterEach(() => fs.rmSync(to, { recursive: true, force: true }))

  function run(options: Partial<RestoreOptions> = {}): Promise<RestoreReport> {
    const { secret } = world
    const { signal } = new AbortController()
    return restore({ secret, from: { type: 'vault', vault }, to, pool, signal, ...options })
  }

  it('brings all back, with the read secret alone, and leaves nothing of its own behind', async () => {
    const before = filesOf(vault)
    const report = await run({ secret: deriveSecret(world.secret, 'read') })
    assert.deepEqual(report.lacking, [])
    assert.equal(report.complete, true)
    assert.equal(report.files, 3)
    assert.deepEqual(report.writers.map(({ name }) => name).sort(), ['server-0', 'server-1'])
    assert.deepEqual(differencesOf(snapshot(world.dir), snapshot(to)), [])
    assert.equal(fs.existsSync(path.join(to, '.shoal')), false)
    assert.deepEqual(filesOf(vault), before, 'nothing was written to the vault')
  })

  it('of an earlier time: what came later is absent, what was deleted is there', async () => {
    const report = await run({ atMs: world.nowMs - 1 })
    assert.equal(report.complete, true)
    assert.equal(fs.statSync(path.join(to, 'big')).size, 700_000)
    assert.equal(fs.readFileSync(path.join(to, 'empty'), 'utf8'), '')
    assert.equal(fs.existsSync(path.join(to, 'a/two')), false)
  })

  it('parts alone, with the directories above them as they were', async () => {
    const report = await run({ paths: [at('a/deep'), at('link')] })
    assert.equal(report.complete, true)
    const whole = snapshot(world.dir)
    const wanted = new Map([...whole].filter(([name]) => /^(a|a\/deep.*|link)$/.test(name)))
    const got = snapshot(to)
    assert.deepEqual([...got.keys()].sort(), [...wanted.keys()].sort())
    assert.deepEqual(differencesOf(wanted, got), [])
  })

  it('of a part that was not there then nothing is restored', async () => {
    await assert.rejects(run({ paths: [at('a/nothing')] }), {
      code: 'NOT_FOUND',
      message: /a\/nothing is not in the share/,
    })
    await assert.rejects(run({ to: path.join(home, 'early'), atMs: 1000 }), {
      code: 'NOT_FOUND',
      message: /nobody had written anything by then/,
    })
  })

  it('refuses a folder that holds anything, a link, a file, and the folder of another restore', async () => {
    fs.writeFileSync(path.join(to, 'mine'), 'x')
    await assert.rejects(run(), { code: 'EXISTS' })
    assert.deepEqual(fs.readdirSync(to), ['mine'])
    fs.symlinkSync(to, path.join(home, 'to-link'))
    await assert.rejects(run({ to: path.join(home, 'to-link') }), { code: 'SHARE_UNUSABLE' })
    await assert.rejects(run({ to: path.join(to, 'mine') }), { code: 'SHARE_UNUSABLE' })
    fs.rmSync(path.join(to, 'mine'))
    await assert.rejects(run({ paths: [at('link')], signal: AbortSignal.abort() }), { name: 'AbortError' })
    await assert.rejects(run(), { code: 'EXISTS', message: /another restore into it is unfinished/ })
    // Into the vault itself, whose folder may be taken for one that tells nothing.
    const vault = path.join(home, 'a-vault')
    fs.mkdirSync(vault)
    for (const inside of [vault, path.join(vault, 'new')])
      await assert.rejects(run({ from: { type: 'vault', vault }, to: inside }), /it lies in the vault/)
    assert.deepEqual(fs.readdirSync(vault), [])
    // A share's folder, empty as it may be.
    const share = path.join(home, 'to-share')
    fs.mkdirSync(path.join(share, '.shoal'), { recursive: true })
    fs.writeFileSync(path.join(share, '.shoal/marker.json'), '{}')
    await assert.rejects(run({ to: share }), { code: 'EXISTS' })
  })

  it('that could not begin leaves the folder as it was, free for the command put right', async () => {
    const made = path.join(home, 'typo')
    const other = writeSecretOf(Buffer.alloc(32, 99))
    for (const wrong of [{ paths: [at('nothing')] }, { atMs: 1000 }, { secret: other }]) {
      await assert.rejects(run({ ...wrong, to: made }))
      assert.equal(fs.existsSync(made), false, JSON.stringify(wrong))
      await assert.rejects(run(wrong))
      assert.deepEqual(fs.readdirSync(to), [])
    }
    await assert.rejects(run({ secret: other }), {
      message: `cannot read ${vault}: the vault there belongs to another share`,
    })
    assert.equal((await run()).complete, true)
  })

  it('one that has begun keeps what it has when the next try cannot begin', async () => {
    await assert.rejects(run({ signal: AbortSignal.abort() }), { name: 'AbortError' })
    await assert.rejects(run({ from: { type: 'vault', vault: home } }), { code: 'SHARE_UNUSABLE' })
    assert.deepEqual(fs.readdirSync(to), ['.shoal'])
    assert.equal((await run()).complete, true)
  })

  it('refuses a blind secret, and the secret of another share', async () => {
    await assert.rejects(run({ secret: deriveSecret(world.secret, 'blind') }), { code: 'SECRET_GRADE' })
    await assert.rejects(run({ secret: writeSecretOf(Buffer.alloc(32, 99)), to: path.join(home, 'other') }), {
      code: 'SHARE_UNUSABLE',
    })
  })

  it('a piece that is not kept: the rest is there, what is lacking is said, and comes with the next try', async () => {
    const held = await world.vault()
    const [lost] = await browse(
      { secret: world.secret, vault: held, signal: new AbortController().signal },
      async (past) => (await past.piecesOf(at('a/deep/er/one')))!,
    )
    const without: RestorableVault = {
      ...held,
      has: (id) => !id.equals(lost!) && held.has(id),
      read: async (ids) => (await held.read(ids)).map((bytes, i) => (ids[i]!.equals(lost!) ? null : bytes)),
    }
    const report = await run({ from: { type: 'vault', vault: without } })
    assert.equal(report.complete, false)
    assert.deepEqual(
      report.lacking.map(({ path: name, code }) => [name, code]),
      [['a/deep/er/one', 'NO_PIECES']],
    )
    assert.match(report.lacking[0]!.detail, /not kept any more, or is damaged/)
    const got = snapshot(to)
    assert.equal(got.has('a/deep/er/one'), false)
    assert.equal(got.get('big'), snapshot(world.dir).get('big'))
    for (const name of ['big', 'link']) fs.rmSync(path.join(to, name))
    fs.rmSync(path.join(to, 'a'), { recursive: true })
    const again = await world.vault()
    const whole = await run({ from: { type: 'vault', vault: again } })
    assert.equal(whole.complete, true)
    assert.deepEqual(differencesOf(snapshot(world.dir), snapshot(to)), [])
  })

  it('what is there and right is not read again', async () => {
    const held = await world.vault()
    const none: RestorableVault = { ...held, has: (id) => !id.equals(bigPiece), read: held.read }
    const [bigPiece] = await browse(
      { secret: world.secret, vault: held, signal: new AbortController().signal },
      async (past) => (await past.piecesOf(at('big'))) as [Buffer],
    )
    assert.equal((await run({ from: { type: 'vault', vault: none } })).complete, false)
    const again = await world.vault()
    assert.equal((await run({ from: { type: 'vault', vault: again } })).complete, true)
    assert.deepEqual(
      again.asked.map((id) => id.toString('hex')),
      [bigPiece.toString('hex')],
    )
  })

  it('gone on with from a vault that has more, it takes that as well', async () => {
    const grown = await PastWorld.make(12, fs.mkdtempSync(path.join(home, 'grown-')), 1)
    try {
      const { secret } = grown
      fs.writeFileSync(path.join(grown.dir, 'kept'), 'kept\n')
      fs.writeFileSync(path.join(grown.dir, 'changed'), 'before\n')
      await grown.publish(0)
      const older = await grown.vault()
      const [lost] = await browse(
        { secret, vault: older, signal: new AbortController().signal },
        async (past) => (await past.piecesOf(at('changed')))!,
      )
      const lacking = { ...older, has: (id: Buffer) => !id.equals(lost!) && older.has(id) }
      assert.equal((await run({ secret, from: { type: 'vault', vault: lacking } })).complete, false)
      grown.nowMs += 3_600_000
      fs.writeFileSync(path.join(grown.dir, 'changed'), 'after, which is longer\n')
      fs.writeFileSync(path.join(grown.dir, 'new'), 'new\n')
      await grown.publish(0)
      const report = await run({ secret, from: { type: 'vault', vault: await grown.vault() } })
      assert.equal(report.complete, true)
      assert.equal(report.writers[0]!.newest, new Date(grown.nowMs).toISOString())
      assert.deepEqual(differencesOf(snapshot(grown.dir), snapshot(to)), [])
    } finally {
      await grown.close()
    }
  })

  it('a piece that turns out damaged when it is read is lacking, too', async () => {
    const held = await world.vault()
    const damaged = new Set<string>()
    const flaky: RestorableVault = {
      ...held,
      has: (id) => !damaged.has(id.toString('hex')) && held.has(id),
      // As a vault does: what is not whole is told as not here, and forgotten.
      read: async (ids) => {
        if (damaged.size === 0) damaged.add(ids[0]!.toString('hex'))
        return (await held.read(ids)).map((bytes, i) => (damaged.has(ids[i]!.toString('hex')) ? null : bytes))
      },
    }
    const report = await run({ from: { type: 'vault', vault: flaky }, stallMs: 500 })
    assert.equal(report.complete, false)
    assert.equal(report.lackingCount, 1)
  })

  it('one writer whose feed is damaged: what the others wrote is there, and it is said', async () => {
    const held = await world.vault()
    const [, second] = world.writers
    const damaged: RestorableVault = {
      ...held,
      async *blocks(writer) {
        for await (const block of held.blocks(writer))
          yield writer === second!.feed.writer ? { ...block, bytes: Buffer.alloc(block.bytes.length) } : block
      },
    }
    const report = await run({ from: { type: 'vault', vault: damaged } })
    assert.equal(report.complete, false)
    assert.match(report.lacking[0]!.detail, /server-1.*has not signed/)
    assert.equal(fs.statSync(path.join(to, 'big')).size, 700_000)
  })

  describe('what is there of a writer and cannot be proved is lacking, not passed over', () => {
    const second = (): string => world.writers[1]!.feed.writer

    async function lackingFrom(held: RestorableVault): Promise<string> {
      const report = await run({ from: { type: 'vault', vault: held } })
      assert.equal(report.complete, false)
      assert.equal(fs.existsSync(path.join(to, 'a/deep/er/one')), true, 'what the other wrote is there')
      const { signal } = new AbortController()
      const faults = await browse({ secret: world.secret, vault: held, signal }, async (past) => {
        await past.list('')
        return past.faults
      })
      assert.equal(faults.length, report.lackingCount)
      return report.lacking.map(({ detail }) => detail).join('\n')
    }

    it('without the proof of its feed', async () => {
      const held = await world.vault()
      const heads = held.heads().filter(({ writer }) => writer !== second())
      assert.match(await lackingFrom({ ...held, heads: () => heads }), /server-1.*proof/)
    })

    it('without its certificate', async () => {
      const held = await world.vault()
      const [first] = world.writers
      assert.match(
        await lackingFrom({ ...held, certificates: () => [first!.certificate] }),
        new RegExp(`${second()}.*certificate`),
      )
    })

    it('with an older proof than its blocks, unless the moment lies before those', async () => {
      const base = fs.mkdtempSync(path.join(home, 'older-'))
      const older = await PastWorld.make(10, base, 1)
      try {
        fs.writeFileSync(path.join(older.dir, 'first'), 'first\n')
        await older.publish(0)
        const early = await older.vault()
        older.nowMs += 3_600_000
        fs.writeFileSync(path.join(older.dir, 'then'), 'then\n')
        await older.publish(0)
        const vault = { ...(await older.vault()), heads: early.heads }
        const { secret } = older
        const report = await run({ secret, from: { type: 'vault', vault } })
        assert.equal(report.complete, false)
        assert.match(report.lacking[0]!.detail, /server-0.*proof/)
        assert.deepEqual(
          fs.readdirSync(to).filter((name) => name !== '.shoal'),
          ['first'],
        )
        const earlier = path.join(base, 'earlier')
        const atMs = older.nowMs - 3_600_001
        await assert.rejects(
          run({ secret, from: { type: 'vault', vault }, to: earlier, atMs }),
          /had written/,
        )
        older.nowMs += 3_600_000
        fs.writeFileSync(path.join(older.dir, 'last'), 'last\n')
        const two = await older.vault()
        await older.publish(0)
        const later = { ...(await older.vault()), heads: two.heads }
        const between = await run({
          ...{ secret, from: { type: 'vault' as const, vault: later } },
          ...{ to: earlier, atMs: older.nowMs - 3_600_001 },
        })
        assert.deepEqual(between.lacking, [])
      } finally {
        await older.close()
      }
    })
  })

  it('a clock that was ahead for a while: what was left out for it is noted, wherever the moment lies', async () => {
    const ahead = await PastWorld.make(11, fs.mkdtempSync(path.join(home, 'ahead-')), 1)
    try {
      const year = 365 * 86_400_000
      const first = ahead.nowMs
      const times = [0, 1, 2, undefined, 3, 4].map((hours) =>
        hours === undefined ? first + year : first + hours * 3_600_000,
      )
      for (const [i, ms] of times.entries()) {
        ahead.nowMs = ms
        fs.writeFileSync(path.join(ahead.dir, `f${i}`), `${i}\n`)
        await ahead.publish(0)
      }
      const vault = await ahead.vault()
      for (const [at, left] of [
        [2, 0],
        [3, 1],
        [4, 1],
        [5, 1],
      ] as const) {
        const atMs = first + at * 3_600_000 + 1
        const into = path.join(to, String(at))
        const report = await run({ secret: ahead.secret, from: { type: 'vault', vault }, to: into, atMs })
        assert.deepEqual(fs.readdirSync(into).sort(), ['f0', 'f1', 'f2'])
        const notes = report.notes.filter((note) => /clock of server-0 went back/.test(note))
        assert.equal(notes.length, left, `${at} hours after the first`)
        const { signal } = new AbortController()
        const told = await browse({ secret: ahead.secret, vault, atMs, signal }, async (past) => {
          await past.list('')
          return past.notes
        })
        assert.equal(told.length, left)
      }
    } finally {
      await ahead.close()
    }
  })

  describe('a writer that lies', () => {
    let lying: PastWorld
    let base: string
    before(async () => {
      base = fs.mkdtempSync(path.join(home, 'lying-'))
      lying = await PastWorld.make(9, base, 2)
      fs.writeFileSync(path.join(lying.dir, 'mine'), 'mine\n')
      await lying.publish(0)
      fs.writeFileSync(path.join(lying.dir, 'yours'), 'yours\n')
      await lying.publish(1)
      lying.nowMs += 3_600_000
      fs.writeFileSync(path.join(lying.dir, 'noted'), 'noted\n')
      await lying.publish(1)
    })
    after(() => lying.close())

    it('and dates back what it writes does not get into the past by it', async () => {
      const atMs = lying.nowMs - 1800_000
      const realMs = lying.nowMs
      lying.nowMs = 1000
      for (const [i, name] of ['mine', 'yours', 'noted', 'mine', 'yours', 'noted'].entries()) {
        fs.writeFileSync(path.join(lying.dir, name), `encrypted ${i}\n`)
        await lying.publish(1)
      }
      lying.nowMs = realMs
      const from = { type: 'vault' as const, vault: await lying.vault() }
      const report = await run({ secret: lying.secret, from, atMs })
      assert.equal(report.complete, true)
      assert.deepEqual([...snapshot(to).keys()].filter((name) => name !== '').sort(), ['mine', 'yours'])
      assert.equal(fs.readFileSync(path.join(to, 'yours'), 'utf8'), 'yours\n')
      assert.equal(fs.readFileSync(path.join(to, 'mine'), 'utf8'), 'mine\n')
      assert.match(report.notes.join(), /clock of server-1 went back/)
      const listed = await browse(
        { secret: lying.secret, vault: from.vault, atMs, signal: new AbortController().signal },
        (past) => past.list(''),
      )
      assert.deepEqual(
        listed.map(({ path: at, size }) => [at, size]),
        [
          ['mine', 5],
          ['yours', 6],
        ],
      )
    })

    it('or writes what cannot be read takes nothing away from what was written before, nor from others', async () => {
      const [, second] = lying.writers
      await second!.feed.append([Buffer.from('this is no record')])
      const from = { type: 'vault' as const, vault: await lying.vault() }
      const report = await run({ secret: lying.secret, from })
      assert.equal(report.complete, false)
      assert.deepEqual(
        report.lacking.map(({ code }) => code),
        ['FEED_CORRUPT'],
      )
      assert.match(report.lacking[0]!.detail, /server-1 wrote since: record \d+ cannot be read/)
      assert.equal(fs.readFileSync(path.join(to, 'mine'), 'utf8'), 'encrypted 3\n')
    })

    it('and a certificate that somebody put into the vault is passed over', async () => {
      const held = await lying.vault()
      const vault = { ...held, certificates: () => [Buffer.from('no certificate'), ...held.certificates()] }
      const report = await run({ secret: lying.secret, from: { type: 'vault', vault } })
      assert.match(report.lacking[0]!.detail, /certificate there does not hold/)
      assert.equal(fs.readFileSync(path.join(to, 'mine'), 'utf8'), 'encrypted 3\n')
    })
  })

  it('W2: a directory that somebody put a link in the place of meanwhile is not written through', async () => {
    const outside = path.join(home, 'outside')
    fs.mkdirSync(outside, { recursive: true })
    const held = await world.vault()
    const lacking: RestorableVault = { ...held, has: () => false }
    assert.equal((await run({ from: { type: 'vault', vault: lacking } })).complete, false)
    fs.rmSync(path.join(to, 'a'), { recursive: true })
    fs.symlinkSync(outside, path.join(to, 'a'))
    const report = await run({ from: { type: 'vault', vault: held } })
    assert.equal(report.complete, true)
    assert.deepEqual(fs.readdirSync(outside), [])
    assert.deepEqual(differencesOf(snapshot(world.dir), snapshot(to)), [])
    assert.match(report.notes.join(), /stood in the way/)
  })

  it('killed in the middle, and gone on with', async () => {
    const big = await PastWorld.make(8, fs.mkdtempSync(path.join(home, 'many-')), 1)
    try {
      for (let i = 0; i < 300; i++) {
        const folder = path.join(big.dir, `d${i % 20}`)
        fs.mkdirSync(folder, { recursive: true })
        fs.writeFileSync(path.join(folder, `f${i}`), `content ${i}\n`.repeat(1 + (i % 50)))
      }
      await big.publish(0)
      const many = path.join(big.dir, '../vault')
      await big.writeVault(many)
      const child = fileURLToPath(new URL('restore-child.js', import.meta.url))
      const killed = spawn(process.execPath, [child, many, to], { stdio: ['pipe', 'pipe', 'inherit'] })
      killed.stdin.end(formatSecret(big.secret))
      await once(killed.stdout, 'data')
      killed.kill('SIGKILL')
      await once(killed, 'exit')
      assert.equal(fs.existsSync(path.join(to, '.shoal/restore.json')), true)
      const report = await run({ secret: big.secret, from: { type: 'vault', vault: many } })
      assert.deepEqual([report.complete, report.files], [true, 300])
      assert.deepEqual(differencesOf(snapshot(big.dir), snapshot(to)), [])
    } finally {
      await big.close()
    }
  })

  it('V5: what nobody had settled by then comes as the winner and a copy', async () => {
    const torn = await PastWorld.make(9, fs.mkdtempSync(path.join(home, 'torn-')), 2)
    try {
      await torn.say(0, 'doc.txt', 'one side', NO_VERSION)
      torn.nowMs += 60_000
      await torn.say(1, 'doc.txt', 'the other side', NO_VERSION)
      const held = await torn.vault()
      const report = await run({ secret: torn.secret, from: { type: 'vault', vault: held } })
      assert.equal(report.complete, true)
      assert.equal(fs.readFileSync(path.join(to, 'doc.txt'), 'utf8'), 'the other side')
      const copy = fs.readdirSync(to).find((name) => name !== 'doc.txt')
      assert.equal(copy, 'doc.conflict-20261120-120000-server-0.txt')
      assert.equal(fs.readFileSync(path.join(to, copy!), 'utf8'), 'one side')
    } finally {
      await torn.close()
    }
  })

  describe('browse', () => {
    const look = <T>(body: Parameters<typeof browse<T>>[1], atMs?: number): Promise<T> =>
      browse<T>({ secret: world.secret, vault, atMs, signal: new AbortController().signal }, body)

    it('lists a directory, all below it, and a file', async () => {
      const top = await look((past) => past.list(''))
      assert.deepEqual(
        top.map(({ path: name, type }) => [name, type]),
        [
          ['a', 'directory'],
          ['big', 'file'],
          ['link', 'symlink'],
        ],
      )
      assert.deepEqual(top[0]!.mode, 0o710)
      const below = await look((past) => past.list(at('a'), true))
      assert.deepEqual(
        below.map(({ path: name }) => name),
        ['a/deep', 'a/deep/er', 'a/deep/er/one', 'a/two'],
      )
      assert.equal((await look((past) => past.list(at('link'))))[0]!.target, '/etc/passwd')
      await assert.rejects(
        look((past) => past.list(at('empty'))),
        { code: 'NOT_FOUND' },
      )
    })

    it('prints a file as it was', async () => {
      const read = (atMs?: number): Promise<Buffer> =>
        look(async (past) => {
          const all: Buffer[] = []
          for await (const bytes of past.cat(at('big'))) all.push(bytes)
          return Buffer.concat(all)
        }, atMs)
      assert.equal((await read()).toString(), 'small now\n')
      assert.deepEqual(await read(world.nowMs - 1), Buffer.alloc(700_000, 'shoal '))
    })

    it('lists versions, newest first', async () => {
      const versions = await look((past) => past.versions(at('big'), 10))
      assert.deepEqual(
        versions.map(({ by, size, type }) => [by, size, type]),
        [
          ['server-1', 10, 'file'],
          ['server-0', 700_000, 'file'],
        ],
      )
      const gone = await look((past) => past.versions(at('empty'), 10))
      assert.equal(gone[0]!.type, 'deleted')
      assert.equal((await look((past) => past.versions('', 100), world.nowMs - 1)).length, 7)
    })
  })
})

/** Paths with sizes and times. */
function filesOf(folder: string): string[] {
  return fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => {
    const { size, mtimeMs } = fs.statSync(path.join(folder, name))
    return `${name} ${size} ${mtimeMs}`
  })
}
