// The demo, with a small tree: it ends well, says so, and leaves nothing behind. That it notices a difference is tested
// on its own way of comparing.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { repository } from './support/repository.js'

const run = promisify(execFile)
const built = fileURLToPath(new URL('../', import.meta.url))

interface DemoTree {
  pictureOf(root: string): Promise<Map<string, { is: string; how: string }>>
  differences<T>(expected: Map<string, T>, found: Map<string, T>, what: (entry: T) => string): string[]
}

test('npm run demo: ends well with a small tree, without a terminal, and cleans up', async (t) => {
  const scratch = await mkdtemp(join(tmpdir(), 'shoal-demo-test-'))
  t.after(() => rm(scratch, { recursive: true }))
  const source = join(scratch, 'source')
  for (const name of ['a', 'b', 'c', 'd']) {
    await mkdir(join(source, name, 'deep'), { recursive: true })
    for (let i = 0; i < 10; i++)
      await writeFile(join(source, name, 'deep', `${i}.txt`), `${name} ${i}\n`.repeat(i))
  }
  await symlink('a/deep', join(source, 'link'))
  const temporary = join(scratch, 'tmp')
  await mkdir(temporary)
  const args = ['scripts/demo.mjs', '--files', '60', '--dir', source, '--dist', built]
  const { stdout } = await run(process.execPath, args, {
    cwd: fileURLToPath(repository),
    env: { ...process.env, TMPDIR: temporary },
    timeout: 120_000,
  })
  assert.match(stdout, /all three trees are the same/)
  assert.match(stdout, /the losing version is kept as both\.conflict-\d{8}-\d{6}-alice\.txt/)
  assert.deepEqual(await readdir(temporary), [])
})

test('npm run demo: its comparison sees content, type, link targets, permissions, times and what is missing', async (t) => {
  const scratch = await mkdtemp(join(tmpdir(), 'shoal-demo-test-'))
  t.after(() => rm(scratch, { recursive: true }))
  // Not compiled, so there are no types to import.
  const url = new URL('scripts/demo-tree.mjs', repository).href
  const { pictureOf, differences } = (await import(url)) as DemoTree
  const trees = ['one', 'two'].map((name) => join(scratch, name))
  for (const tree of trees) {
    await mkdir(join(tree, '.shoal'), { recursive: true })
    await writeFile(join(tree, '.shoal', tree.endsWith('one') ? 'x' : 'y'), 'not compared')
    await writeFile(join(tree, 'file'), 'same')
    await symlink('file', join(tree, 'link'))
    await utimes(join(tree, 'file'), 1, 1)
  }
  const compare = async (what: 'is' | 'how'): Promise<string[]> => {
    const [one, two] = await Promise.all(trees.map((tree) => pictureOf(tree)))
    return differences(one!, two!, (entry) => entry[what]).map((line) => line.split(':')[0]!)
  }
  assert.deepEqual(await compare('is'), [])
  await utimes(join(trees[1]!, 'file'), 1, 2)
  assert.deepEqual(await compare('is'), [])
  assert.ok((await compare('how')).includes('"file"'))
  await writeFile(join(trees[1]!, 'file'), 'sane')
  await rm(join(trees[1]!, 'link'))
  await symlink('elsewhere', join(trees[1]!, 'link'))
  await mkdir(join(trees[0]!, 'only here'))
  assert.deepEqual((await compare('is')).sort(), ['"file"', '"link"', '"only here"'])
})
