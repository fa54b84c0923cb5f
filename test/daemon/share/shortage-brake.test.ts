import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { Retries } from '../../../src/daemon/share/retries.js'
import { ShortageBrake } from '../../../src/daemon/share/shortage-brake.js'
import { silentLog } from '../../../src/ports/log.js'
import { fakeClock } from './apply-support.js'

test('a shortage is told once, holds all back for a while that grows, and is over when nothing fails any more', async (t) => {
  const clock = fakeClock(t)
  const problems = new ProblemBook(() => 0)
  const told: string[] = []
  const log = { ...silentLog, error: (_: unknown, text: string) => void told.push(text) }
  let tries = 0
  const brake = new ShortageBrake({ problems, log, isStopped: () => false, onTry: () => tries++ })
  for (let i = 0; i < 100; i++) brake.note('EMFILE')
  assert.deepEqual([brake.isOn, told.length, problems.list()[0]?.code], [true, 1, 'EMFILE'])
  await clock.advance(1100)
  assert.deepEqual([brake.isOn, tries], [false, 1])
  brake.note('EMFILE')
  await clock.advance(1100)
  assert.deepEqual([brake.isOn, tries, told.length], [true, 1, 1], 'twice as long, and nobody is told again')
  await clock.advance(1000)
  assert.deepEqual([brake.isOn, tries, problems.size], [false, 2, 1])
  await clock.advance(3100)
  assert.equal(problems.size, 0)
  brake.note('ENFILE')
  assert.equal(told.length, 2)
  brake.stop()
})

test('what could not be read is looked at again later and later, a shortage soon, and what may not be read never', async (t) => {
  const clock = fakeClock(t)
  const seen: string[] = []
  const short: string[] = []
  const retries = new Retries(
    ({ directories, unlisted }) =>
      seen.push([...directories, ...unlisted.map((each) => `${each}/**`)].join(' ')),
    (code) => short.push(code),
  )
  retries.unlisted('d' as never, 'EMFILE')
  retries.unread('e/f', 'e' as never, 'EIO')
  retries.unread('e/g', 'e' as never, 'ESTALE')
  retries.unread('x/y', 'x' as never, 'EACCES')
  await clock.advance(1100)
  assert.deepEqual(seen.splice(0), ['d/**'])
  assert.deepEqual(short, ['EMFILE'])
  retries.listed({ path: 'd' as never, faults: [] })
  await clock.advance(29_000)
  assert.deepEqual(seen.splice(0), ['e'])
  retries.read('e/g')
  retries.unread('e/f', 'e' as never, 'EIO')
  await clock.advance(50_000)
  assert.deepEqual(seen, [])
  await clock.advance(11_000)
  assert.deepEqual(seen.splice(0), ['e'])
  retries.unread('e/f', 'e' as never, 'EIO')
  retries.clear()
  await clock.advance(600_000)
  assert.deepEqual(seen, [])
  retries.stop()
})
