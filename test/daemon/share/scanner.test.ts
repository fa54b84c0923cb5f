// The scanner over a disk in memory and the real index and publisher: what it announces, and above all what it does not.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareVersions, counterOf } from '../../../src/core/version.js'
import { Scanner } from '../../../src/daemon/share/scanner.js'
import { contentOf } from '../../sim/contents.js'
import { at, type Bench, fileFact, ME, newBench, OTHER } from './support.js'

const paths = ({ published }: Bench): string[] => published.map(({ draft }) => draft.path)

async function scanning(
  bench: Bench,
  body: (scanner: Scanner) => Promise<void>,
  isFirst = true,
): Promise<void> {
  const scanner = new Scanner(bench.context)
  try {
    if (isFirst) await scanner.fullScan()
    await body(scanner)
  } finally {
    await scanner.stop()
  }
}

async function look(scanner: Scanner, ...directories: string[]): Promise<void> {
  scanner.markDirty(directories.map(at))
  await scanner.settled()
}

test('what is new is published once, directories before what is in them; a look that finds nothing new says nothing', async () => {
  const bench = newBench()
  bench.disk.directory('d')
  bench.disk.file('d/f', [1])
  await scanning(bench, async (scanner) => {
    assert.deepEqual(paths(bench), ['d', 'd/f'])
    await scanner.fullScan()
    await look(scanner, '', 'd')
    assert.deepEqual(paths(bench), ['d', 'd/f'])
    assert.equal(bench.disk.hashed.length, 1, 'an unchanged file is not read again')
  })
})

test('a look tells of its end once', async () => {
  const bench = newBench()
  await scanning(bench, async () => assert.equal(bench.notices, 1))
})

test('A8: a file that is being written is not announced, and read again once it is quiet', async () => {
  for (const refusal of ['busy', 'changed'] as const) {
    const bench = newBench()
    bench.disk.file('f', [1])
    bench.disk.refuse.set('f', refusal)
    bench.disk.beforeHash = () => {
      if (bench.disk.hashed.length === 2) bench.disk.file('f', [1, 2])
    }
    let early: string[] | undefined
    bench.onFullScan = () => {
      early = paths(bench)
    }
    await scanning(bench, async () => {
      assert.deepEqual(early, [])
      assert.deepEqual(paths(bench), ['f'])
      const { fact } = bench.published[0]!.draft
      assert.ok(fact.type === 'file' && fact.content.equals(contentOf([1, 2]).id), 'the whole file')
    })
  }
})

test('A8: a file changed this moment is not even read before it had time to come to rest', async (t) => {
  const bench = newBench()
  const now = Date.now()
  t.mock.timers.enable({ apis: ['Date'], now })
  bench.disk.file('f', [1])
  bench.disk.file('fresh', [2], { ctimeMs: now - 1 })
  let early: string[] | undefined
  bench.onFullScan = () => {
    early = paths(bench)
    t.mock.timers.setTime(now + 1000)
  }
  await scanning(bench, async () => {
    assert.deepEqual(early, ['f'])
    assert.deepEqual(paths(bench), ['f', 'fresh'])
    assert.equal(bench.disk.hashed.find(({ path }) => path === 'fresh')?.openCheck, true)
  })
})

test('A9: what we put there ourselves is known by its stat, and neither read nor announced', async () => {
  const bench = newBench()
  await bench.tell('f', fileFact([1]))
  bench.disk.file('f', [1])
  const { index } = bench
  const applied = { version: index.effective(at('f')).version, fact: fileFact([1]) }
  index.transaction(() =>
    index.setDisk(at('f'), { applied, stat: bench.disk.stat('f'), drift: undefined }, contentOf([1]).layout),
  )
  await scanning(bench, async () => {
    assert.deepEqual(bench.disk.hashed, [])
    assert.deepEqual(paths(bench), [])
  })
})

test('A4: content that is the version the share has is adopted, not announced', async () => {
  const bench = newBench()
  await bench.tell('f', fileFact([1]))
  bench.disk.file('f', [1])
  await scanning(bench, async () => {
    assert.deepEqual(paths(bench), [])
    assert.deepEqual(bench.index.applied(at('f')).version, bench.index.effective(at('f')).version)
    assert.equal(bench.index.step(at('f')).type, 'none')
  })
})

/** An apply of v2 was cut off after the file had its name; v3 has come since. */
async function interrupted(bench: Bench): Promise<{ v2: ReturnType<typeof fileFact> }> {
  const { index } = bench
  const v2 = fileFact([2])
  await bench.tell('f', fileFact([1]))
  const one = { version: index.effective(at('f')).version, fact: fileFact([1]) }
  index.transaction(() =>
    index.setDisk(
      at('f'),
      { applied: one, stat: { ...STAT, size: one.fact.size }, drift: undefined },
      contentOf([1]).layout,
    ),
  )
  await bench.tell('f', v2)
  const { version } = index.effective(at('f'))
  index.transaction(() => index.recovery.begin([{ path: at('f'), version, fact: v2 }]))
  await bench.tell('f', fileFact([3]))
  return { v2 }
}
const STAT = {
  type: 'file',
  mode: 0o644,
  size: 0,
  mtimeMs: 1,
  ctimeMs: 1,
  ino: 999,
  dev: 1,
  nlink: 1,
  uid: 0,
  gid: 0,
} as const

test('A4: the outcome of an interrupted apply is adopted as the version that it was, not announced', async () => {
  const bench = newBench()
  await interrupted(bench)
  bench.disk.file('f', [2])
  await scanning(bench, async () => {
    assert.deepEqual(paths(bench), [])
    assert.equal(
      compareVersions(bench.index.applied(at('f')).version, bench.index.effective(at('f')).version),
      'before',
    )
    assert.equal(bench.index.step(at('f')).type, 'write', 'the newest version is still to come')
  })
})

test('A4: an intent is good for one judgement: what the user puts there later is his, even while the first look goes on', async () => {
  const bench = newBench()
  await interrupted(bench)
  bench.disk.file('f', [4])
  // Another file stays restless, so that intents of that directory are not used up yet.
  bench.disk.file('log', [9])
  bench.disk.refuse.set('log', 'busy')
  bench.onFullScan = () => {
    assert.deepEqual(paths(bench), ['f'])
    bench.disk.file('f', [2])
  }
  await scanning(bench, async () => {
    assert.equal(paths(bench).filter((path) => path === 'f').length, 2, 'the old content is a change of his')
  })
})

test('A4: an intent is void once the path was committed anew before it was looked at', async () => {
  const bench = newBench()
  const { v2 } = await interrupted(bench)
  bench.disk.file('f', [2])
  const { index } = bench
  bench.disk.beforeHash = () => {
    bench.disk.beforeHash = () => undefined
    // Committed by us: the newest version, and its stat. Then the user brings v2 back.
    const { version } = index.effective(at('f'))
    const row = { applied: { version, fact: fileFact([3]) }, stat: { ...STAT, ino: 1000 }, drift: undefined }
    bench.context.guard.startCommit([at('f')])
    index.transaction(() => index.setDisk(at('f'), row, contentOf([3]).layout))
    bench.context.guard.endCommit([at('f')])
  }
  await scanning(bench, async (scanner) => {
    await scanner.settled()
    assert.deepEqual(paths(bench), ['f'])
    assert.deepEqual(bench.published[0]!.draft.fact, v2)
  })
})

test('V1: an edit starts from the version that is on the disk, not from the newest that was heard of', async () => {
  const bench = newBench()
  bench.disk.file('f', [1])
  await scanning(bench, async (scanner) => {
    const before = bench.index.applied(at('f')).version
    await bench.tell('f', fileFact([2]))
    bench.disk.file('f', [3])
    await look(scanner, '')
    const { version } = bench.index.applied(at('f'))
    assert.equal(counterOf(version, OTHER), 0)
    assert.equal(compareVersions(before, version), 'before')
    assert.equal(bench.index.heads(at('f')).length, 2, 'a conflict, not an overwrite')
  })
})

test('a deletion is published only when it is confirmed, children before their directory', async () => {
  const bench = newBench()
  bench.disk.directory('d')
  bench.disk.file('d/f', [1])
  bench.disk.file('missed', [2])
  await scanning(bench, async (scanner) => {
    bench.disk.remove('d')
    bench.disk.remove('missed')
    bench.disk.unsure.add('missed')
    bench.published.length = 0
    await look(scanner, '', 'd')
    assert.deepEqual(paths(bench), ['d/f', 'd'])
    assert.equal(bench.index.applied(at('missed')).fact.type, 'file')
    assert.deepEqual(bench.index.heads(at('d'))[0]?.type, 'tombstone')
  })
})

test('a name that a listing misses and that is back at the next look is no deletion', async () => {
  const bench = newBench()
  bench.disk.file('f', [1])
  await scanning(bench, async (scanner) => {
    const node = bench.disk.nodes.get('f')!
    bench.disk.nodes.delete('f')
    bench.disk.beforeScan = () => void bench.disk.nodes.set('f', node)
    await look(scanner, '')
    assert.deepEqual(paths(bench), ['f'])
  })
})

async function knowing(count: number): Promise<Bench> {
  const first = newBench()
  for (let i = 0; i < count; i++) first.disk.file(`f${i}`, [(i % 9) + 1])
  await scanning(first, async () => undefined)
  return first
}

test('A5: most of the tree gone at start halts, and nothing is announced before it is approved', async () => {
  const bench = await knowing(220)
  bench.published.length = 0
  for (let i = 0; i < 120; i++) bench.disk.remove(`f${i}`)
  // So many that they would be published while the look goes on.
  for (let i = 0; i < 300; i++) bench.disk.file(`new${i}`, [5, 5])
  await scanning(bench, async (scanner) => {
    assert.match(bench.halted ?? '', /120 of 220 files are gone/)
    assert.deepEqual(paths(bench), [])
    bench.halted = undefined
    scanner.approve()
    await scanner.fullScan()
    await scanner.settled()
    assert.equal(bench.published.length, 420)
  })
})

test("A5: deletions seen live are the user's, however many", async () => {
  const bench = newBench()
  for (let i = 0; i < 150; i++) bench.disk.file(`f${i}`, [1])
  await scanning(bench, async (scanner) => {
    for (let i = 0; i < 150; i++) bench.disk.remove(`f${i}`)
    await scanner.fullScan()
    assert.equal(bench.halted, undefined)
    assert.equal(bench.published.length, 300)
  })
})

test('A5: a root that cannot be trusted halts before and after the look, and nothing is announced', async () => {
  const bench = await knowing(3)
  bench.published.length = 0
  bench.disk.remove('f0')
  bench.disk.file('new', [8])
  bench.rootFault = 'the marker is gone'
  await scanning(bench, async () => {
    assert.equal(bench.halted, 'the marker is gone')
    assert.deepEqual(paths(bench), [])
  })
  const late = await knowing(3)
  late.published.length = 0
  late.disk.remove('f0')
  late.disk.beforeScan = () => {
    late.rootFault = 'another root'
  }
  await scanning(late, async () => {
    assert.equal(late.halted, 'another root')
    assert.deepEqual(paths(late), [], 'not even a deletion')
  })
})

test('A7: what cannot be carried is reported; what the index has under its name is left alone', async () => {
  const bench = newBench()
  bench.disk.file('f', [1])
  await scanning(bench, async (scanner) => {
    bench.disk.remove('f')
    bench.disk.faults.set('', [{ name: 'f', code: 'NOT_CARRIED', detail: 'a fifo is not carried' }])
    await look(scanner, '')
    assert.deepEqual(paths(bench), ['f'])
    assert.deepEqual(
      bench.problems.list().map(({ path, code }) => [path, code]),
      [['f', 'NOT_CARRIED']],
    )
    bench.disk.faults.clear()
    bench.disk.file('f', [1])
    await look(scanner, '')
    assert.deepEqual(bench.problems.list(), [])
  })
})

test("a reader's changes are drift and never entries; undone, they are none", async () => {
  const bench = newBench({ isWriter: false })
  await bench.tell('f', fileFact([1]))
  bench.disk.file('f', [1])
  await scanning(bench, async (scanner) => {
    const before = { ...bench.disk.nodes.get('f')! }
    bench.disk.file('f', [2])
    bench.disk.file('own', [3])
    await look(scanner, '')
    assert.deepEqual(paths(bench), [])
    assert.deepEqual(bench.index.drifted(), ['f', 'own'])
    assert.equal(bench.index.disk(at('f'))?.drift?.kinds.join(), 'content')
    assert.equal(bench.index.disk(at('own'))?.drift?.kinds.join(), 'extra')
    bench.disk.nodes.set('f', before)
    bench.disk.remove('own')
    await look(scanner, '')
    assert.deepEqual(bench.index.drifted(), [])
    bench.disk.remove('f')
    await look(scanner, '')
    assert.equal(bench.index.disk(at('f'))?.drift?.kinds.join(), 'missing')
    assert.deepEqual(paths(bench), [])
  })
})

test('what the ignore rules leave out is not looked at, neither as a file nor as a directory', async () => {
  const isIgnored = (path: string): boolean => path === 'tmp' || path.endsWith('.o')
  const bench = newBench({ isIgnored })
  bench.disk.directory('tmp')
  bench.disk.file('tmp/f', [1])
  bench.disk.file('a.o', [2])
  bench.disk.file('a.c', [3])
  await scanning(bench, async () => {
    assert.deepEqual(paths(bench), ['a.c'])
    assert.deepEqual(
      bench.disk.hashed.map(({ path }) => path),
      ['a.c'],
    )
  })
})

test('a directory that becomes a file: what was in it goes first, and the file takes the name', async () => {
  const bench = newBench()
  bench.disk.directory('x')
  bench.disk.file('x/f', [1])
  await scanning(bench, async (scanner) => {
    bench.published.length = 0
    bench.disk.remove('x')
    bench.disk.file('x', [2])
    await look(scanner, '')
    assert.deepEqual(paths(bench), ['x/f', 'x'])
    assert.equal(bench.index.effective(at('x')).fact.type, 'file')
    assert.equal(bench.index.step(at('x')).type, 'none')
    bench.disk.remove('x')
    bench.disk.directory('x')
    bench.disk.file('x/g', [3])
    await look(scanner, '')
    assert.equal(bench.index.effective(at('x')).fact.type, 'directory')
    assert.deepEqual(paths(bench).slice(2), ['x', 'x/g'])
  })
})

test('A9: a look does not judge a path that was committed, or is being, since the look began', async () => {
  const bench = newBench()
  bench.disk.file('f', [1])
  await scanning(bench, async (scanner) => {
    const { index, context } = bench
    await bench.tell('f', fileFact([2]))
    // The listing is taken while the old file is being replaced: its name is not there at that moment.
    const commit = (): void => {
      bench.disk.beforeScan = () => undefined
      bench.disk.file('f', [2])
      const { version } = index.effective(at('f'))
      const row = { applied: { version, fact: fileFact([2]) }, stat: bench.disk.stat('f'), drift: undefined }
      context.guard.startCommit([at('f')])
      index.transaction(() => index.setDisk(at('f'), row, contentOf([2]).layout))
      context.guard.endCommit([at('f')])
    }
    bench.disk.file('f', [7])
    bench.disk.beforeScan = commit
    bench.published.length = 0
    await look(scanner, '')
    assert.deepEqual(paths(bench), [])
    assert.deepEqual(index.applied(at('f')).version, index.effective(at('f')).version)
  })
})

test('A9: the listing of a directory that was committed since is not taken for a change by the user', async () => {
  const bench = newBench()
  bench.disk.directory('d')
  await scanning(bench, async (scanner) => {
    const { index, context } = bench
    // Listed as the user left it; by the time of judging, we have given it other permissions.
    bench.disk.directory('d', { ino: bench.disk.stat('d').ino, mode: 0o750 })
    bench.disk.beforeScan = () => {
      bench.disk.beforeScan = () => undefined
      bench.disk.directory('d', { ino: bench.disk.stat('d').ino, mode: 0o700 })
      const { applied } = index.disk(at('d'))!
      const fact = { ...applied.fact, mode: 0o700 } as typeof applied.fact
      const row = { applied: { ...applied, fact }, stat: bench.disk.stat('d'), drift: undefined }
      context.guard.startCommit([at('d')])
      index.transaction(() => index.setDisk(at('d'), row, undefined))
      context.guard.endCommit([at('d')])
    }
    bench.published.length = 0
    await look(scanner, '')
    assert.deepEqual(paths(bench), [])
  })
})

test('A10: a whole look that is asked for while one is under way is another one', async () => {
  const bench = newBench()
  await scanning(bench, async (scanner) => {
    let second: Promise<void> | undefined
    bench.disk.beforeScan = () => {
      bench.disk.beforeScan = () => undefined
      bench.disk.file('late', [1])
      second = scanner.fullScan()
    }
    await scanner.fullScan()
    await second
    assert.deepEqual(paths(bench), ['late'])
    assert.equal(counterOf(bench.index.applied(at('late')).version, ME), 1)
  })
})

test('A10: a whole look watches every directory again before it is listed, also those that it knows', async () => {
  const bench = newBench()
  for (const name of ['a', 'a/b', 'a/b/c', 'd']) bench.disk.directory(name)
  const watched: string[] = []
  const watch = async (directories: readonly string[]): Promise<void> => void watched.push(...directories)
  const scanner = new Scanner({ ...bench.context, watch })
  try {
    await scanner.fullScan()
    watched.length = 0
    await scanner.fullScan()
    assert.deepEqual([...new Set(watched)].sort(), ['', 'a', 'a/b', 'a/b/c', 'd'])
  } finally {
    await scanner.stop()
  }
})

test('directories that a listing job left, because it had become large, are looked at all the same', async () => {
  const bench = newBench()
  for (const name of ['a', 'b', 'c']) {
    bench.disk.directory(name)
    bench.disk.file(`${name}/f`, [1])
  }
  const scan = bench.disk.scan.bind(bench.disk)
  bench.disk.scan = async (root, directories) =>
    (await scan(root, directories)).map((found, i): typeof found =>
      i === 0 ? found : { ...found, status: 'left', names: [], stats: new Float64Array(0) },
    )
  await scanning(bench, async (scanner) => {
    assert.deepEqual(paths(bench).sort(), ['a', 'a/f', 'b', 'b/f', 'c', 'c/f'])
    bench.disk.remove('c/f')
    await look(scanner, 'a', 'c')
    assert.deepEqual(paths(bench).slice(6), ['c/f'])
  })
})

test('hooks hear of what an earlier process put there, in the first look; later the same is a user doing it himself', async () => {
  const bench = newBench()
  await interrupted(bench)
  bench.disk.file('f', [2])
  await bench.tell('g', fileFact([5]))
  bench.disk.file('g', [5])
  bench.disk.file('own', [6])
  await scanning(bench, async (scanner) => {
    assert.deepEqual([...bench.changed].sort(), ['share f', 'share g', 'user own'])
    await bench.tell('later', fileFact([7]))
    bench.disk.file('later', [7])
    await scanner.fullScan()
    assert.equal(bench.index.step(at('later')).type, 'none', 'it was adopted')
    assert.equal(bench.changed.length, 3)
  })
})
