import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { lastMatch } from '../../src/core/hook.js'
import {
  askToRun,
  beginRun,
  dueOf,
  endRun,
  type HookBatch,
  type HookDue,
  type HookPolicy,
  maxSettleMs,
  newBatch,
  noteChange,
  retryWaitMs,
  type Surroundings,
} from '../../src/core/hook-batch.js'
import { parsePath } from '../../src/core/path.js'

const POLICY: HookPolicy = { settleMs: 2000, retry: { times: 2, waitMs: 5000 } }
const FREE: Surroundings = { halted: undefined, isReady: true, wanted: 0, isBehind: false }

/** A few words that change a batch at an instant. */
type Step =
  | { readonly at: number; readonly change: number }
  | { readonly at: number; readonly begin: true }
  | { readonly at: number; readonly end: 'done' | 'failed' | 'interrupted'; readonly again?: number }
  | { readonly at: number; readonly ask: true }

function play(steps: readonly Step[], from: HookBatch = newBatch(0, 0)): HookBatch {
  return steps.reduce((batch, step) => {
    if ('change' in step) return noteChange(batch, step.change, step.at)
    if ('begin' in step) return beginRun(batch)
    if ('ask' in step) return askToRun(batch)
    return endRun(batch, step.end, step.again ?? 0, POLICY, step.at)
  }, from)
}

const failedOnce: readonly Step[] = [
  { at: 0, change: 3 },
  { at: 2000, begin: true },
  { at: 3000, end: 'failed', again: 3 },
]
const failedThrice: readonly Step[] = [
  ...failedOnce,
  { at: 8000, begin: true },
  { at: 9000, end: 'failed', again: 3 },
  { at: 19_000, begin: true },
  { at: 20_000, end: 'failed', again: 3 },
]

describe('a hook is due', () => {
  const cases: {
    readonly name: string
    readonly steps: readonly Step[]
    readonly around?: Partial<Surroundings>
    readonly at: number
    readonly due: HookDue
  }[] = [
    { name: 'not without a change', steps: [], at: 9e9, due: { type: 'idle' } },
    {
      name: 'not before it has settled',
      steps: [{ at: 0, change: 1 }],
      at: 1999,
      due: { type: 'wait', for: 'settle', untilMs: 2000 },
    },
    { name: 'once it has settled', steps: [{ at: 0, change: 1 }], at: 2000, due: { type: 'run' } },
    {
      name: 'later, if the same path changes again',
      steps: [
        { at: 0, change: 1 },
        { at: 1500, change: 0 },
      ],
      at: 2000,
      due: { type: 'wait', for: 'settle', untilMs: 3500 },
    },
    {
      name: 'B5: constant changes do not put it off for ever',
      steps: Array.from({ length: 31 }, (_, i) => ({ at: i * 1000, change: 1 })),
      at: 30_000,
      due: { type: 'run' },
    },
    {
      name: 'B2: not while a path is on its way, however long',
      steps: [{ at: 0, change: 1 }],
      around: { wanted: 1 },
      at: 9e9,
      due: { type: 'wait', for: 'paths' },
    },
    {
      name: 'B2: not while a feed is not read to its end',
      steps: [{ at: 0, change: 1 }],
      around: { isBehind: true },
      at: 9e9,
      due: { type: 'wait', for: 'records' },
    },
    {
      name: 'B2: not even when asked for',
      steps: [
        { at: 0, change: 1 },
        { at: 1, ask: true },
      ],
      around: { wanted: 1 },
      at: 2,
      due: { type: 'wait', for: 'paths' },
    },
    {
      name: 'at once when asked for',
      steps: [
        { at: 0, change: 1 },
        { at: 1, ask: true },
      ],
      at: 2,
      due: { type: 'run' },
    },
    {
      name: 'not when asked for without a change',
      steps: [{ at: 1, ask: true }],
      at: 2,
      due: { type: 'idle' },
    },
    {
      name: 'not in a halted share',
      steps: [{ at: 0, change: 1 }],
      around: { halted: 'gone' },
      at: 9e9,
      due: { type: 'wait', for: 'halt' },
    },
    {
      name: 'not before the first look',
      steps: [{ at: 0, change: 1 }],
      around: { isReady: false },
      at: 9e9,
      due: { type: 'wait', for: 'start' },
    },
    {
      name: 'B1: not while it runs',
      steps: [
        { at: 0, change: 1 },
        { at: 2000, begin: true },
        { at: 2001, change: 1 },
      ],
      at: 9e9,
      due: { type: 'running' },
    },
    {
      name: 'B1: for what changed while it ran',
      steps: [
        { at: 0, change: 1 },
        { at: 2000, begin: true },
        { at: 2500, change: 1 },
        { at: 3000, end: 'done' },
      ],
      at: 3500,
      due: { type: 'wait', for: 'settle', untilMs: 4500 },
    },
    {
      name: 'not after a run that was done',
      steps: [
        { at: 0, change: 1 },
        { at: 2000, begin: true },
        { at: 3000, end: 'done' },
      ],
      at: 9e9,
      due: { type: 'idle' },
    },
    {
      name: 'B4: some time after a failure',
      steps: failedOnce,
      at: 3000,
      due: { type: 'wait', for: 'retry', untilMs: 8000 },
    },
    { name: 'B4: again then', steps: failedOnce, at: 8000, due: { type: 'run' } },
    { name: 'B4: not once the tries are used up', steps: failedThrice, at: 9e9, due: { type: 'failed' } },
    {
      name: 'B3: with the next change all the same, and no sooner than a retry would be',
      steps: [...failedThrice, { at: 21_000, change: 1 }],
      at: 23_000,
      due: { type: 'wait', for: 'retry', untilMs: 40_000 },
    },
    {
      name: 'when asked for after the tries are used up',
      steps: [...failedThrice, { at: 21_000, ask: true }],
      at: 21_000,
      due: { type: 'run' },
    },
    {
      name: 'soon, if there was news during a run that failed',
      steps: [
        { at: 0, change: 1 },
        { at: 2000, begin: true },
        { at: 2500, change: 1 },
        { at: 3000, end: 'failed', again: 1 },
      ],
      at: 4000,
      due: { type: 'wait', for: 'retry', untilMs: 8000 },
    },
  ]
  for (const { name, steps, around, at, due } of cases)
    it(name, () => assert.deepEqual(dueOf(play(steps), POLICY, { ...FREE, ...around }, at), due))

  it('for what an earlier process left, once it has settled', () => {
    const left = newBatch(4, 100)
    assert.deepEqual(dueOf(left, POLICY, FREE, 100), { type: 'wait', for: 'settle', untilMs: 2100 })
    assert.deepEqual(dueOf(left, POLICY, FREE, 2100), { type: 'run' })
  })

  it('the wait doubles, up to ten minutes', () => {
    const waits = [1, 2, 3, 4, 20, 1000].map((failures) => retryWaitMs(POLICY.retry, failures))
    assert.deepEqual(waits, [5000, 10_000, 20_000, 40_000, 600_000, 600_000])
  })
})

describe('any history', () => {
  const event = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ type: fc.constant('change' as const), paths: fc.integer({ min: 0, max: 3 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ type: fc.constant('wanted' as const), by: fc.constantFrom(1, 1, -1, -1) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ type: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 20_000 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('end' as const),
        end: fc.constantFrom('done' as const, 'failed' as const),
      }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('behind' as const), is: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('ask' as const) }) },
  )
  const policy = fc.record({
    settleMs: fc.constantFrom(0, 100, 2000, 10_000),
    retry: fc.record({ times: fc.integer({ min: 0, max: 4 }), waitMs: fc.constantFrom(100, 5000) }),
  })

  it('keeps B1 to B5, and leaves nothing behind', () => {
    fc.assert(
      fc.property(policy, fc.array(event, { maxLength: 120 }), (policy, events) => {
        let now = 0
        let around = FREE
        let batch = newBatch(0, 0)
        /** Changes told of by no run that did well: numbers that grow; and those of the run under way. */
        let open: number[] = []
        let running: number[] | undefined
        let number = 0
        let failures = 0
        let isAsked = false
        const tryToRun = (): void => {
          const due = dueOf(batch, policy, around, now)
          if (due.type !== 'run') return
          assert.equal(running, undefined, 'B1')
          assert.ok(around.wanted === 0 && !around.isBehind, 'B2')
          assert.ok(open.length > 0)
          assert.ok(isAsked || failures <= policy.retry.times, 'B4')
          batch = beginRun(batch)
          isAsked = false
          running = open
          open = []
        }
        const end = (how: 'done' | 'failed'): void => {
          if (running === undefined) return
          if (how === 'failed') {
            failures = open.length > 0 ? 0 : failures + 1
            batch = endRun(batch, 'failed', running.length, policy, now)
            open = [...running, ...open]
          } else {
            batch = endRun(batch, 'done', 0, policy, now)
            failures = 0
          }
          running = undefined
          assert.equal(batch.pending, open.length)
        }
        for (const each of events) {
          if (each.type === 'change') {
            // A path that is pending already may change again; there must be one.
            const added = open.length === 0 ? Math.max(1, each.paths) : each.paths
            for (let i = 0; i < added; i++) open.push(number++)
            batch = noteChange(batch, added, now)
            failures = 0
          } else if (each.type === 'wanted')
            around = { ...around, wanted: Math.max(0, around.wanted + each.by) }
          else if (each.type === 'behind') around = { ...around, isBehind: each.is }
          else if (each.type === 'time') now += each.ms
          else if (each.type === 'ask') {
            isAsked ||= open.length > 0
            batch = askToRun(batch)
          } else end(each.end)
          tryToRun()
        }
        // Everything comes to rest: all of it is told, or the tries are used up and it is said.
        end('done')
        around = FREE
        now += maxSettleMs(policy) + 600_000
        tryToRun()
        end('done')
        const due = dueOf(batch, policy, around, now)
        if (due.type === 'failed') assert.ok(failures > policy.retry.times && open.length > 0)
        else assert.deepEqual([due.type, open], ['idle', []], 'B3, B5')
      }),
      { numRuns: 500 },
    )
  })
})

describe('the last pattern that matches decides', () => {
  const cases: [string, boolean][] = [
    ['', false],
    ['+', true],
    ['-', false],
    ['+!', false],
    ['+!+', true],
    ['+.', true],
    ['.!', false],
  ]
  // "+" matches, "!" matches and takes out, "." and "-" do not match, the latter one that would take out.
  for (const [text, expected] of cases)
    it(`"${text}": ${expected}`, () => {
      const patterns = [...text].map((c) => ({
        takesOut: c === '!' || c === '-',
        matches: (path: string) => path === 'a/b' && '+!'.includes(c),
      }))
      assert.equal(lastMatch(patterns, parsePath('a/b')), expected)
    })
})
