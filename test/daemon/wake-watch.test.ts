import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LOOK_MS, WakeWatch } from '../../src/daemon/wake-watch.js'
import { silentLog } from '../../src/ports/log.js'

test('one sleep is told once, however long it was', () => {
  let [wallMs, monotonicMs, wakes] = [1_000_000, 0, 0]
  const watch = new WakeWatch({
    onWake: () => wakes++,
    log: silentLog,
    clocks: () => ({ wallMs, monotonicMs }),
  })
  const look = (asleepMs: number): void => {
    wallMs += LOOK_MS + asleepMs
    monotonicMs += LOOK_MS
    watch.look()
  }
  look(0)
  assert.equal(wakes, 0)
  look(3 * 86_400_000)
  assert.equal(wakes, 1)
  look(0)
  look(0)
  assert.equal(wakes, 1)
})
