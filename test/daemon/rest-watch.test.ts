import assert from 'node:assert/strict'
import { test } from 'node:test'
import { giveBackMemory, LOOK_MS, RestWatch } from '../../src/daemon/rest-watch.js'

/** Milliseconds of processor time taken before each look; whether memory was given back at it. */
function looks(...taken: readonly number[]): boolean[] {
  let cpuMs = 0
  let rests = 0
  // What giving back takes is no work that is worth giving back after.
  const onRest = (): void => {
    rests++
    cpuMs += 900
  }
  const watch = new RestWatch({ cpuMs: () => cpuMs, onRest })
  return taken.map((ms) => {
    cpuMs += ms
    const before = rests
    watch.look()
    return rests > before
  })
}

test('rest: memory is given back once after work, as soon as there is none', () => {
  assert.deepEqual(looks(LOOK_MS, LOOK_MS / 2, 100, 100, 0), [false, false, true, false, false])
  assert.deepEqual(looks(2000, 10, 5000, 0), [false, true, false, true])
})

test('rest: little work, all of it together, is worth it in the end', () => {
  assert.deepEqual(looks(300, 300, 300, 300, 300), [false, false, false, true, false])
})

test('rest: nothing is given back while there is work', () => {
  assert.ok(!looks(...Array.from({ length: 100 }, () => LOOK_MS * 0.1)).includes(true))
})

test('rest: what malloc has free can be given back where there is a glibc, and asking is no harm elsewhere', () => {
  giveBackMemory()
  giveBackMemory()
})
