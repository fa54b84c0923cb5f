import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ShareId } from '../../src/core/ids.js'
import { HEAD_START_MS, RelayRoster } from '../../src/swarm/relay-roster.js'

const share = 'a share' as ShareId
const relay = 'relay.example:22020'

/** One share, in which we are "m". */
function roster(): RelayRoster {
  const made = new RelayRoster(() => 0)
  made.addShare(share, 'm')
  return made
}

test('R1: only those with a higher tag are called, and never ourselves', () => {
  const all = roster()
  for (const tag of ['a', 'm', 'z']) all.here(relay, share, tag, 0)
  assert.deepEqual(all.take(HEAD_START_MS), { relay, share, tag: 'z' })
  assert.equal(all.take(HEAD_START_MS), undefined)
  assert.equal(all.dueAtMs(), undefined)
})

test('R2: who is reached, by whatever way and whenever, is not called', () => {
  const all = roster()
  all.reached(share, 'x', true, 0)
  all.here(relay, share, 'x', 0)
  all.here(relay, share, 'y', 0)
  all.reached(share, 'y', true, 10)
  assert.equal(all.dueAtMs(), undefined)
  all.reached(share, 'y', false, 50_000)
  assert.equal(all.dueAtMs(), 50_000 + HEAD_START_MS, 'R3: direct ways come first again')
})

test('R3: direct ways have a head start', () => {
  const all = roster()
  all.here(relay, share, 'z', 100)
  assert.equal(all.take(100 + HEAD_START_MS - 1), undefined)
  assert.equal(all.take(100 + HEAD_START_MS)?.tag, 'z')
})

test('R4: what fails waits longer each time, and starts over once a connection has lasted', () => {
  const all = roster()
  all.here(relay, share, 'z', 0)
  const waits: number[] = []
  let nowMs = HEAD_START_MS
  for (let i = 0; i < 7; i++) {
    assert.ok(all.take(nowMs))
    all.settled(share, 'z', nowMs)
    waits.push(all.dueAtMs()! - nowMs)
    nowMs = all.dueAtMs()!
  }
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
  all.reached(share, 'z', true, nowMs)
  all.reached(share, 'z', false, nowMs + 10_000)
  assert.ok(all.take(nowMs + 10_000 + HEAD_START_MS))
  all.settled(share, 'z', nowMs + 20_000)
  assert.equal(all.dueAtMs(), nowMs + 21_000)
})

test('another relay is asked where one has failed, and none that has nobody', () => {
  const all = roster()
  all.here('one', share, 'z', 0)
  all.here('two', share, 'z', 0)
  const asked: (string | undefined)[] = []
  for (let nowMs = HEAD_START_MS; asked.length < 3; nowMs = all.dueAtMs()!) {
    asked.push(all.take(nowMs)?.relay)
    all.settled(share, 'z', nowMs)
  }
  assert.deepEqual(asked, ['one', 'two', 'one'])
  all.lostRelay('one')
  assert.equal(all.take(1e9)?.relay, 'two')
  all.settled(share, 'z', 1e9)
  all.gone('two', share, 'z')
  assert.equal(all.dueAtMs(), undefined)
})

test('whatever relays say, who is remembered is bounded, and a call is one at a time', () => {
  const act = fc.tuple(
    fc.constantFrom('here', 'gone', 'reached', 'lost', 'take', 'settle'),
    fc.constantFrom('a', 'n', 'o', 'p'),
    fc.constantFrom('one', 'two'),
  )
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const all = roster()
      const calling = new Set<string>()
      const reached = new Set<string>()
      for (const [at, [what, tag, from]] of acts.entries()) {
        const nowMs = at * 5_000
        if (what === 'here') all.here(from, share, tag, nowMs)
        else if (what === 'gone') {
          all.gone(from, share, tag)
        } else if (what === 'reached') {
          if (reached.delete(tag)) all.reached(share, tag, false, nowMs)
          else {
            reached.add(tag)
            all.reached(share, tag, true, nowMs)
          }
        } else if (what === 'lost') all.lostRelay(from, share)
        else if (what === 'settle') {
          calling.delete(tag)
          all.settled(share, tag, nowMs)
        } else {
          const call = all.take(nowMs)
          if (call === undefined) continue
          assert.ok(call.tag > 'm' && !reached.has(call.tag), 'R1, R2')
          calling.add(call.tag)
        }
      }
    }),
  )
  const flooded = roster()
  for (let i = 0; i < 5_000; i++) flooded.here(relay, share, `z${i}`, 0)
  let calls = 0
  for (let call = flooded.take(1e9); call !== undefined; call = flooded.take(1e9)) {
    flooded.settled(share, call.tag, 1e9)
    calls++
  }
  assert.equal(calls, 1_024)
})

test('R5: a relay that invents devices takes no place from another one, and delays no call', () => {
  const all = roster()
  const liar = 'liar.example:22020'
  for (let i = 0; i < 5_000; i++) all.here(liar, share, `z${i}`, 0)
  all.here(relay, share, 'zz', 1)
  const calls: string[] = []
  // The liar answers none of them.
  for (let call = all.take(60_000); call !== undefined; call = all.take(60_000)) calls.push(call.relay)
  assert.equal(calls.filter((each) => each === liar).length, 16)
  assert.equal(calls.filter((each) => each === relay).length, 1)
  assert.equal(all.dueAtMs(), undefined, 'and nothing is due until one of them has ended')
})

test('R5: where one relay has no place for a call, another that has the device is asked', () => {
  const all = roster()
  const liar = 'liar.example:22020'
  for (let i = 0; i < 20; i++) all.here(liar, share, `z${i}`, 0)
  for (let i = 0; i < 16; i++) assert.equal(all.take(60_000)?.relay, liar)
  all.here(relay, share, 'z19', 0)
  assert.deepEqual(all.take(60_000), { relay, share, tag: 'z19' })
})

test('R2: a device that a relay says has gone and come is not called again while a call is under way', () => {
  const all = roster()
  for (let i = 0; i < 3; i++) {
    all.here(relay, share, 'z', 0)
    assert.equal(all.take(60_000)?.tag, i === 0 ? 'z' : undefined)
    all.gone(relay, share, 'z')
  }
  all.settled(share, 'z', 60_000)
  all.here(relay, share, 'z', 60_000)
  assert.equal(all.take(120_000)?.tag, 'z')
})
