// Threads that an upgrade beneath a daemon has made another version's: each says so, in both shapes of the program, and does nothing.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { PACKAGE_VERSION } from '../../src/ports/package-version.js'
import { assertSameVersion, type ThreadVersion } from '../../src/ports/thread-version.js'
import { repository } from '../support/repository.js'

const SHAPES = ['dist/src/', 'dist/program/']
/** Started by Piscina and told with each task: pool.test.ts. */
const POOLED = 'folder/worker.js'

const OTHERS = [
  [{ version: '0.0.1' }, 'version 0.0.1'],
  [{ version: '999.0.0' }, 'version 999.0.0'],
  [{}, 'an earlier version'],
] as const

const started = readdirSync(new URL('src/', repository), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => [
    ...readFileSync(new URL(`src/${file}`, repository), 'utf8').matchAll(
      /\b(?:new Worker\(\s*|filename: )programFile\('([^']+)'\)/g,
    ),
  ])
  .map(([, file]) => file!)

test('a thread of the same version goes on, one of any other does not', () => {
  assertSameVersion({ version: PACKAGE_VERSION })
  for (const [data, running] of OTHERS)
    assert.throws(() => assertSameVersion(data as ThreadVersion), { message: told(running) })
})

test('all that is started as a thread is known here', () => {
  assert.deepEqual(started.sort(), ['folder/watch-worker.js', POOLED, 'nat/map-worker.js'])
})

for (const shape of SHAPES)
  for (const file of started.filter((each) => each !== POOLED))
    for (const [data, running] of OTHERS)
      test(`${shape}${file} ends at once where ${running} has started it`, async () => {
        const thread = new Worker(new URL(`${shape}${file}`, repository), { workerData: data })
        const exited = new Promise((resolve) => thread.once('exit', resolve))
        const [error] = (await once(thread, 'error')) as [Error]
        await exited
        assert.equal(error.message, told(running))
      })

function told(running: string): string {
  return `${running} runs, but version ${PACKAGE_VERSION} is installed by now: restart it`
}
