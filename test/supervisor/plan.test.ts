import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Action,
  type Event,
  FAILED_PAUSE_MS,
  FIRST_PAUSE_MS,
  GRACE_MS,
  IDLE,
  isSettled,
  LONGEST_PAUSE_MS,
  type Machine,
  STEADY_MS,
  step,
  wakesAtMs,
} from '../../src/supervisor/plan.js'

const CRASH: Event = { type: 'exited', exit: null, signal: 'SIGKILL', lastWords: '' }
const exit = (code: number, lastWords = ''): Event => ({
  type: 'exited',
  exit: code,
  signal: null,
  lastWords,
})
const at = (atMs: number, event: Event): { atMs: number; event: Event } => ({ atMs, event })
const START: Event = { type: 'start' }
const READY: Event = { type: 'ready' }
const TIME: Event = { type: 'time' }
const CHANGED: Event = { type: 'changed' }
const STOP: Event = { type: 'stop' }
const REFUSED: Event = { type: 'refused', reason: 'no' }

interface Case {
  readonly name: string
  readonly events: readonly { readonly atMs: number; readonly event: Event }[]
  readonly phase: Machine['phase']
  readonly actions: readonly Action[]
  readonly restarts?: number
}

const CASES: readonly Case[] = [
  {
    name: 'starts and runs',
    events: [at(0, START), at(5, READY)],
    phase: { type: 'running', sinceMs: 5 },
    actions: ['spawn'],
  },
  {
    name: 'a second start of one that runs does nothing',
    events: [at(0, START), at(5, READY), at(6, START)],
    phase: { type: 'running', sinceMs: 5 },
    actions: ['spawn'],
  },
  {
    name: 'a crash is waited after',
    events: [at(0, START), at(5, READY), at(10, CRASH)],
    phase: { type: 'waiting', untilMs: 10 + FIRST_PAUSE_MS, reason: 'SIGKILL' },
    actions: ['spawn'],
  },
  {
    name: 'and the next one twice as long',
    events: [at(0, START), at(1, CRASH), at(1001, TIME), at(1002, exit(70, 'bug'))],
    phase: { type: 'waiting', untilMs: 1002 + 2 * FIRST_PAUSE_MS, reason: 'bug (exit code 70)' },
    actions: ['spawn', 'spawn'],
    restarts: 1,
  },
  {
    name: 'time that has not come starts nothing',
    events: [at(0, START), at(1, CRASH), at(500, TIME)],
    phase: { type: 'waiting', untilMs: 1 + FIRST_PAUSE_MS, reason: 'SIGKILL' },
    actions: ['spawn'],
  },
  {
    name: 'one that was ready for long begins anew',
    events: [
      ...[at(0, START), at(1, CRASH), at(1001, TIME), at(1002, CRASH), at(3002, TIME), at(3003, READY)],
      at(3003 + STEADY_MS, CRASH),
    ],
    phase: { type: 'waiting', untilMs: 3003 + STEADY_MS + FIRST_PAUSE_MS, reason: 'SIGKILL' },
    actions: ['spawn', 'spawn', 'spawn'],
    restarts: 2,
  },
  {
    name: 'a wrong configuration is tried again late',
    events: [at(0, START), at(1, exit(78, 'x.conf:1:1: wrong'))],
    phase: { type: 'failed', untilMs: 1 + FAILED_PAUSE_MS, reason: 'x.conf:1:1: wrong (exit code 78)' },
    actions: ['spawn'],
  },
  {
    name: 'or as soon as it changed',
    events: [at(0, START), at(1, exit(78)), at(9, CHANGED)],
    phase: { type: 'starting', sinceMs: 9, changed: false },
    actions: ['spawn', 'spawn'],
    restarts: 1,
  },
  {
    name: 'one that changed while it was read is tried again soon',
    events: [at(0, START), at(1, CHANGED), at(2, exit(78))],
    phase: { type: 'waiting', untilMs: 2 + FIRST_PAUSE_MS, reason: 'exit code 78' },
    actions: ['spawn'],
  },
  {
    name: 'a lock that is held is waited for',
    events: [at(0, START), at(1, exit(75))],
    phase: { type: 'waiting', untilMs: 1 + FIRST_PAUSE_MS, reason: 'exit code 75' },
    actions: ['spawn'],
  },
  {
    name: 'a refused one never starts by time alone',
    events: [at(0, REFUSED), at(10 * FAILED_PAUSE_MS, TIME)],
    phase: { type: 'failed', reason: 'no' },
    actions: [],
  },
  {
    name: 'one that runs goes on when its new configuration is refused',
    events: [at(0, START), at(5, READY), at(6, REFUSED)],
    phase: { type: 'running', sinceMs: 5 },
    actions: ['spawn'],
  },
  {
    name: 'one that runs is told of a change, one that starts when it is ready',
    events: [at(0, START), at(1, CHANGED), at(5, READY), at(6, CHANGED)],
    phase: { type: 'running', sinceMs: 5 },
    actions: ['spawn', 'SIGHUP', 'SIGHUP'],
  },
  {
    name: 'exit code 0 is somebody else telling it to stop',
    events: [at(0, START), at(5, READY), at(6, exit(0))],
    phase: { type: 'idle', reason: 'ended by itself' },
    actions: ['spawn'],
  },
  {
    name: 'stopped, by force in the end, and once',
    events: [at(0, START), at(5, READY), at(6, STOP), at(6 + GRACE_MS, TIME), at(99_999, TIME)],
    phase: { type: 'stopping', killAtMs: 6 + GRACE_MS, killed: true, again: false },
    actions: ['spawn', 'SIGTERM', 'SIGKILL'],
  },
  {
    name: 'one that stops when told is not tried again, whatever its exit code',
    events: [at(0, START), at(6, STOP), at(7, exit(78))],
    phase: { type: 'idle', reason: '' },
    actions: ['spawn', 'SIGTERM'],
  },
  {
    name: 'started while it stops: once it has ended',
    events: [at(0, START), at(6, STOP), at(7, START), at(8, exit(0))],
    phase: { type: 'starting', sinceMs: 8, changed: false },
    actions: ['spawn', 'SIGTERM', 'spawn'],
  },
  {
    name: 'no process to be had is like a crash',
    events: [at(0, START), at(1, { type: 'notSpawned', reason: 'EAGAIN' })],
    phase: { type: 'waiting', untilMs: 1 + FIRST_PAUSE_MS, reason: 'EAGAIN' },
    actions: ['spawn'],
  },
]

for (const { name, events, phase, actions, restarts = 0 } of CASES)
  test(`plan: ${name}`, () => {
    let machine = IDLE
    const done: Action[] = []
    for (const { atMs, event } of events) {
      const next = step(machine, event, atMs, 1)
      machine = next.machine
      done.push(...next.actions)
    }
    assert.deepEqual(machine.phase, phase)
    assert.deepEqual(done, actions)
    assert.equal(machine.restarts, restarts)
    assert.equal(isSettled(machine), phase.type !== 'starting')
  })

const events: fc.Arbitrary<Event> = fc.oneof(
  ...[START, READY, CHANGED, STOP, TIME, REFUSED, CRASH].map((event) => fc.constant(event)),
  fc.nat(130).map((code) => exit(code)),
  fc.constant<Event>({ type: 'notSpawned', reason: 'none' }),
)

test('plan 1: never two processes of one daemon, and signals only while there is one', () => {
  let spawns = 0
  fc.assert(
    fc.property(
      fc.array(fc.tuple(events, fc.nat(400_000), fc.double({ min: 0, max: 1, noNaN: true })), {
        maxLength: 60,
        size: 'max',
      }),
      (list) => {
        let machine = IDLE
        let nowMs = 0
        let isThere = false
        for (const [event, afterMs, random] of list) {
          nowMs += afterMs
          // What a process says or does comes from one that is there.
          const isOfProcess = event.type === 'exited' || event.type === 'ready' || event.type === 'notSpawned'
          if (isOfProcess && !isThere) continue
          if (event.type === 'exited' || event.type === 'notSpawned') {
            if (event.type === 'notSpawned' && machine.phase.type !== 'starting') continue
            isThere = false
          }
          const next = step(machine, event, nowMs, random)
          for (const action of next.actions) {
            if (action === 'spawn') {
              assert.equal(isThere, false)
              isThere = true
              spawns++
            } else assert.equal(isThere, true, action)
          }
          machine = next.machine
          assert.equal(
            isThere,
            ['starting', 'running', 'stopping'].includes(machine.phase.type),
            `${event.type} -> ${machine.phase.type}`,
          )
        }
      },
    ),
  )
  assert.ok(spawns > 100)
})

test('plan 2: the n-th pause in a row is between half and all of its doubled length, up to the longest', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 }),
      (randoms) => {
        let machine = step(IDLE, START, 0, 0).machine
        let nowMs = 0
        for (const [deaths, random] of randoms.entries()) {
          machine = step(machine, CRASH, nowMs, random).machine
          const pauseMs = wakesAtMs(machine)! - nowMs
          const longestMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** deaths)
          assert.ok(pauseMs >= longestMs / 2 && pauseMs <= longestMs, `${pauseMs} of ${longestMs}`)
          nowMs += pauseMs
          const next = step(machine, TIME, nowMs, random)
          assert.deepEqual(next.actions, ['spawn'])
          machine = next.machine
        }
        assert.equal(machine.restarts, randoms.length)
      },
    ),
  )
})
