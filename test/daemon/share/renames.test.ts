// Both halves of a rename are published together, whatever comes of the file meanwhile; and only when it is one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Extra, sameExtra } from '../../../src/core/entry.js'
import { Scanner } from '../../../src/daemon/share/scanner.js'
import { contentOf } from '../../sim/contents.js'
import { at, type Bench, fileFact, newBench } from './support.js'

/** Calls of publish, as "+new -old". */
async function published(
  bench: Bench,
  body: (scanner: Scanner) => Promise<void>,
): Promise<readonly string[]> {
  const calls: string[] = []
  const { publish } = bench.context
  const context = {
    ...bench.context,
    publish: async (list: Parameters<typeof publish>[0]) => {
      const said = list.map(({ draft }) => `${draft.fact.type === 'absent' ? '-' : '+'}${draft.path}`)
      if (said.length > 0) calls.push(said.join(' '))
      await publish(list)
    },
  }
  const scanner = new Scanner(context)
  try {
    await scanner.fullScan()
    calls.length = 0
    await body(scanner)
  } finally {
    await scanner.stop()
  }
  return calls
}

async function look(scanner: Scanner, ...directories: string[]): Promise<void> {
  scanner.markDirty(directories.map(at))
  await scanner.settled()
}

function mailbox(): Bench {
  const bench = newBench()
  bench.disk.directory('new')
  bench.disk.directory('cur')
  bench.disk.file('new/1', [1])
  bench.disk.file('new/2', [2])
  return bench
}

test('P3: a new name and the removal of the old one go into one append, next to each other', async () => {
  const bench = mailbox()
  const calls = await published(bench, async (scanner) => {
    bench.disk.move('new/1', 'cur/1:2,')
    bench.disk.move('new/2', 'cur/2:2,')
    const before = bench.feed.length
    await look(scanner, 'new', 'cur')
    assert.equal(bench.feed.length, before + 1)
  })
  assert.deepEqual(calls, ['+cur/1:2, -new/1 +cur/2:2, -new/2'])
  for (const path of ['new/1', 'new/2']) assert.equal(bench.index.applied(at(path)).fact.type, 'absent')
})

test('the directory of the new name is looked at first: the old one goes along all the same', async () => {
  const bench = mailbox()
  const calls = await published(bench, async (scanner) => {
    bench.disk.move('new/1', 'cur/1:2,')
    await look(scanner, 'cur')
    await look(scanner, 'new')
  })
  assert.deepEqual(calls, ['+cur/1:2, -new/1'])
})

test('what the share says of the file and this disk does not show goes along to the new name', async () => {
  const bench = newBench()
  const { index, disk } = bench
  const extra: Extra = [[200, Buffer.from('of a later version')]]
  await bench.tell('new/1', { ...fileFact([1]), extra })
  disk.directory('new')
  disk.file('new/1', [1])
  const { version, fact } = index.effective(at('new/1'))
  const row = { applied: { version, fact }, stat: disk.stat('new/1'), drift: undefined }
  index.transaction(() => index.setDisk(at('new/1'), row, contentOf([1]).layout))
  await published(bench, async (scanner) => {
    disk.move('new/1', 'new/1:2,S')
    await look(scanner, 'new')
  })
  const { fact: now } = index.effective(at('new/1:2,S'))
  assert.ok(now.type === 'file' && sameExtra(now.extra, extra))
})

test('A8: while the file cannot be read under its new name, the old one is not said to be gone', async () => {
  const bench = mailbox()
  const calls = await published(bench, async (scanner) => {
    bench.disk.move('new/1', 'cur/1:2,')
    // Longer than a missing name is held back.
    let tries = 0
    bench.disk.refuse.set('cur/1:2,', 'busy')
    bench.disk.beforeHash = () => {
      if (++tries < 4) bench.disk.refuse.set('cur/1:2,', 'busy')
    }
    await look(scanner, 'new', 'cur')
    assert.ok(tries >= 4)
  })
  assert.deepEqual(calls, ['+cur/1:2, -new/1'])
})

test('a file that is renamed again before it is published is published under its last name only', async () => {
  const bench = mailbox()
  const calls = await published(bench, async (scanner) => {
    bench.disk.move('new/1', 'cur/1:2,')
    bench.disk.beforeHash = () => {
      if (bench.disk.nodes.has('cur/1:2,')) bench.disk.move('cur/1:2,', 'cur/1:2,S')
    }
    await look(scanner, 'new', 'cur')
  })
  assert.deepEqual(calls, ['+cur/1:2,S -new/1'])
})

test('there and back again before it is published: nothing has happened', async () => {
  const bench = mailbox()
  const { confirmMissing } = bench.disk
  const calls = await published(bench, async (scanner) => {
    bench.disk.move('new/1', 'cur/1:2,')
    bench.disk.confirmMissing = (root, paths) => {
      if (bench.disk.nodes.has('cur/1:2,')) bench.disk.move('cur/1:2,', 'new/1')
      return confirmMissing.call(bench.disk, root, paths)
    }
    await look(scanner, 'new', 'cur')
  })
  assert.deepEqual(calls, [])
  assert.equal(bench.index.applied(at('new/1')).fact.type, 'file')
})

test('a file that is saved by way of a backup is not said to be gone', async () => {
  const bench = mailbox()
  const calls = await published(bench, async (scanner) => {
    bench.disk.move('new/1', 'new/1~')
    bench.disk.file('new/1', [3])
    await look(scanner, 'new')
  })
  assert.deepEqual(calls, ['+new/1~ +new/1'])
})

test('a copy and a removal are no rename: the name is held back', async () => {
  const bench = mailbox()
  const calls = await published(bench, async (scanner) => {
    bench.disk.remove('new/1')
    bench.disk.file('cur/1:2,', [1])
    await look(scanner, 'new', 'cur')
  })
  assert.deepEqual(calls, ['+cur/1:2,', '-new/1'])
})

test('an inode that went to another file is no rename', async () => {
  const bench = mailbox()
  const { ino } = bench.disk.stat('new/1')
  const calls = await published(bench, async (scanner) => {
    bench.disk.remove('new/1')
    bench.disk.file('cur/other', [7], { ino })
    await look(scanner, 'new', 'cur')
  })
  assert.deepEqual(calls, ['+cur/other', '-new/1'])
})

test('a directory with another name: each file in it with its old name', async () => {
  const bench = mailbox()
  const calls = await published(bench, async (scanner) => {
    bench.disk.directory('old')
    for (const name of ['1', '2']) bench.disk.move(`new/${name}`, `old/${name}`)
    bench.disk.remove('new')
    await look(scanner, '')
  })
  assert.deepEqual(calls, ['+old +old/1 -new/1 +old/2 -new/2', '-new'])
})

test('A5: a root that cannot be trusted halts, and no half of a rename is announced', async () => {
  const bench = mailbox()
  const calls = await published(bench, async (scanner) => {
    bench.disk.move('new/1', 'cur/1:2,')
    bench.disk.beforeHash = () => {
      bench.rootFault = 'gone'
    }
    await look(scanner, 'new', 'cur')
  })
  assert.deepEqual(calls, [])
  assert.equal(bench.halted, 'gone')
})
