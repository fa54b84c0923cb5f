import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { RelPath } from '../../src/core/path.js'
import {
  defaultReleaseName,
  expendable,
  MAX_HISTORY,
  type Manifest,
  manifestNameOf,
  manifestText,
  nextOrder,
  orderText,
  pathInRelease,
  readManifest,
  readOrder,
  releaseFingerprint,
  releaseNameProblem,
  releaseOf,
  releaseOfTarget,
  rollbackOrder,
  type SwitchLook,
  type SwitchOrder,
  switchStep,
} from '../../src/core/release.js'
import { patternBytes } from './piece-pattern.js'

const said = { by: 'laptop', time: '2026-11-20T18:02:03.000Z' }
const order: SwitchOrder = { sequence: 7, name: 'v2', when: 'now', ...said, history: ['v0', 'v1'] }
const manifest: Manifest = {
  name: 'v2',
  created: '2026-11-20T18:02:03.123Z',
  by: 'Büro',
  files: 3,
  bytes: 1536,
  digest: patternBytes(32, 70),
}

describe('names of releases', () => {
  for (const [name, isGood] of [
    ['v1', true],
    ['2026-11-20_1+a@b.c', true],
    ['x'.repeat(100), true],
    ['x'.repeat(101), false],
    ['', false],
    ['.switch', false],
    ['-f', false],
    ['..', false],
    ['a/b', false],
    ['a b', false],
    ['ä', false],
    ['a\n', false],
    ['v1.json', false],
  ] as const)
    it(`${JSON.stringify(name.slice(0, 20))} is ${isGood ? 'one' : 'none'}`, () => {
      assert.equal(releaseNameProblem(name) === undefined, isGood)
    })

  it('come from the time, and are not given twice', () => {
    const atMs = Date.UTC(2026, 10, 20, 18, 2, 3, 456)
    assert.equal(
      defaultReleaseName(atMs, () => false),
      '20261120-180203',
    )
    const taken = new Set(['20261120-180203', '20261120-180203-2'])
    assert.equal(
      defaultReleaseName(atMs, (name) => taken.has(name)),
      '20261120-180203-3',
    )
  })

  it('are found in paths and link texts', () => {
    const of = (path: string): string | undefined => releaseOf(path as RelPath)
    assert.equal(of('releases/v1'), 'v1')
    assert.equal(of('releases/v1/a/b'), 'v1')
    assert.equal(of('releases/v1.json'), undefined)
    assert.equal(of('releases/.switch.json'), undefined)
    assert.equal(of('releases'), undefined)
    assert.equal(of('releasesx/v1'), undefined)
    assert.equal(manifestNameOf('releases/v1.json' as RelPath), 'v1')
    assert.equal(manifestNameOf('releases/.switch.json' as RelPath), undefined)
    assert.equal(manifestNameOf('releases/v1/x.json' as RelPath), undefined)
    assert.equal(pathInRelease('releases/v1' as RelPath, 'v1'), '.')
    assert.equal(pathInRelease('releases/v1/a/b' as RelPath, 'v1'), 'a/b')
    assert.equal(releaseOfTarget('releases/v1'), 'v1')
    for (const target of [
      'v1',
      'releases/',
      'releases/v1/',
      'releases/../x',
      '/releases/v1',
      'releases/v1/a',
    ])
      assert.equal(releaseOfTarget(target), undefined, target)
  })
})

describe('manifests and orders', () => {
  it('read back as they were written', () => {
    assert.deepEqual(readManifest(manifestText(manifest), 'v2'), { type: 'ok', value: manifest })
    for (const when of ['now', 'all', 3] as const)
      assert.deepEqual(readOrder(orderText({ ...order, when })), { type: 'ok', value: { ...order, when } })
  })

  const broken: [string, (value: Record<string, unknown>) => unknown][] = [
    ['another format', (value) => ({ ...value, format: 2 })],
    ['a member too many', (value) => ({ ...value, more: 1 })],
    ['a member too few', ({ by: _, ...rest }) => rest],
    ['a name that is none', (value) => ({ ...value, name: '../x' })],
    ['a text too long', (value) => ({ ...value, by: 'x'.repeat(201) })],
    ['a list', (value) => [value]],
    ['nothing', () => null],
  ]
  for (const [what, change] of broken)
    it(`are refused with ${what}`, () => {
      for (const [text, read] of [
        [manifestText(manifest), (changed: string) => readManifest(changed, 'v2')],
        [orderText(order), readOrder],
      ] as const)
        assert.equal(read(JSON.stringify(change(JSON.parse(text)))).type, 'violation')
    })

  it('are refused with values out of range', () => {
    const readChanged = (change: object): string =>
      readManifest(JSON.stringify({ ...JSON.parse(manifestText(manifest)), ...change }), 'v2').type
    for (const change of [
      { files: -1 },
      { files: 1.5 },
      { bytes: '7' },
      { bytes: 2 ** 53 },
      { digest: 'ab' },
      { digest: 'A'.repeat(64) },
      { created: 'yesterday' },
    ])
      assert.equal(readChanged(change), 'violation', JSON.stringify(change))
    const readOrdered = (change: object): string =>
      readOrder(JSON.stringify({ ...JSON.parse(orderText(order)), ...change })).type
    for (const change of [
      { when: 'later' },
      { when: 0 },
      { when: 1001 },
      { sequence: -1 },
      { history: 'v1' },
      { history: ['a/b'] },
      { history: Array.from({ length: MAX_HISTORY + 1 }, () => 'v1') },
    ])
      assert.equal(readOrdered(change), 'violation', JSON.stringify(change))
    assert.equal(readManifest(manifestText(manifest), 'v3').type, 'violation')
  })

  it('never throw, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        assert.equal(readManifest(text, 'v2').type, 'violation')
        assert.equal(readOrder(text).type, 'violation')
      }),
    )
  })
})

describe('orders that follow one another', () => {
  const names = ({ name, history }: SwitchOrder): string => [...history, name].join(' ')
  const switchTo = (before: SwitchOrder | undefined, name: string): SwitchOrder =>
    nextOrder(before, name, { when: 'now', ...said })
  const back = (before: SwitchOrder, ...gone: string[]): SwitchOrder | undefined =>
    rollbackOrder(before, (name) => !gone.includes(name), said)

  it('remember what was shown before, each once', () => {
    const first = switchTo(undefined, 'v1')
    assert.equal(first.sequence, 1)
    const third = switchTo(switchTo(first, 'v2'), 'v3')
    assert.equal(names(third), 'v1 v2 v3')
    assert.equal(names(switchTo(third, 'v1')), 'v2 v3 v1')
    assert.equal(names(switchTo(third, 'v3')), 'v1 v2 v3')
    assert.equal(switchTo(third, 'v3').sequence, 4)
  })

  it('go back step by step, over what is gone', () => {
    const third: SwitchOrder = { ...order, name: 'v3', history: ['v1', 'v2'] }
    assert.equal(names(back(third)!), 'v1 v2')
    assert.equal(names(back(back(third)!)!), 'v1')
    assert.equal(back(back(back(third)!)!), undefined)
    assert.equal(names(back(third, 'v2')!), 'v1')
    assert.equal(back({ ...third, when: 'all' })?.when, 'now')
    assert.equal(back(third)?.sequence, third.sequence + 1)
    assert.equal(
      rollbackOrder(undefined, () => true, said),
      undefined,
    )
  })

  it('forget the oldest', () => {
    let last = switchTo(undefined, 'v0')
    for (let i = 1; i <= 2 * MAX_HISTORY; i++) last = switchTo(last, `v${i}`)
    assert.equal(last.history.length, MAX_HISTORY)
    assert.equal(last.history.at(-1), `v${2 * MAX_HISTORY - 1}`)
    assert.equal(readOrder(orderText(last)).type, 'ok')
  })
})

describe('what a node is to do', () => {
  const look: SwitchLook = { order, current: { type: 'none' }, hold: 'complete', others: 4, holders: 0 }
  const cases: [string, Partial<SwitchLook>, string][] = [
    ['nobody said anything', { order: undefined }, 'none'],
    ['all is here', {}, 'switch'],
    ['it is shown already', { current: { type: 'release', name: 'v2' } }, 'none'],
    [
      'it is shown already, whatever became of it',
      { current: { type: 'release', name: 'v2' }, hold: 'changed' },
      'none',
    ],
    ['another one is shown', { current: { type: 'release', name: 'v1' } }, 'switch'],
    ['something else has the name', { current: { type: 'taken', what: 'a folder' } }, 'CURRENT_TAKEN'],
    ['nothing of it is here', { hold: undefined }, 'wait'],
    ['not all of it is here', { hold: 'partial' }, 'wait'],
    ['it was changed by a writer', { hold: 'changed' }, 'RELEASE_CHANGED'],
    ['it was changed here', { hold: 'drifted' }, 'RELEASE_DRIFTED'],
    ['all are waited for', { order: { ...order, when: 'all' } }, 'wait'],
    ['all but one hold it', { order: { ...order, when: 'all' }, holders: 3 }, 'wait'],
    ['all hold it', { order: { ...order, when: 'all' }, holders: 4 }, 'switch'],
    ['three are to hold it, and two do', { order: { ...order, when: 3 }, holders: 1 }, 'wait'],
    ['three are to hold it, and do', { order: { ...order, when: 3 }, holders: 2 }, 'switch'],
    ['others hold it, and this node does not', { hold: 'partial', holders: 4 }, 'wait'],
  ]
  for (const [when, change, expected] of cases)
    it(`when ${when}: ${expected}`, () => {
      const step = switchStep({ ...look, ...change })
      assert.equal(step.type === 'problem' ? step.code : step.type, expected)
      if (step.type === 'switch') assert.equal(step.name, 'v2')
    })
})

describe('what may go', () => {
  const releases = ['v1', 'v2', 'v3', 'v4', 'v5']
  const now = { ...order, name: 'v5', history: ['v1', 'v2'] }
  const cases: [string, number, readonly string[], string][] = [
    ['all but the newest', 1, [], 'v1 v3 v4'],
    ['nothing while there are few', 5, [], ''],
    ['nothing that a node shows', 2, ['v1', 'v4'], 'v3'],
  ]
  for (const [what, keep, shown, expected] of cases)
    it(what, () => {
      const gone = expendable({ releases, keep, order: now, shown: new Set(shown) })
      assert.equal(gone.join(' '), expected)
    })

  it('is never what is to be shown', () => {
    const gone = expendable({
      releases,
      keep: 1,
      order: { ...now, name: 'v2', history: [] },
      shown: new Set(),
    })
    assert.equal(gone.join(' '), 'v1 v3 v4')
  })
})

describe('the digest of a release', () => {
  const path = 'a/b' as RelPath
  const fact = { type: 'file', mode: 0o644, mtimeUs: 5, size: 3, content: patternBytes(32, 71) } as const

  it('tells type, content, mode and time, and no owners, which may be stated later', () => {
    const print = releaseFingerprint(path, { ...fact, extra: [] })
    assert.ok(print.equals(releaseFingerprint(path, { ...fact, extra: [[1, Buffer.from('root')]] })))
    for (const other of [
      { ...fact, mode: 0o600 },
      { ...fact, mtimeUs: 6 },
      { ...fact, content: patternBytes(32, 72) },
    ])
      assert.ok(!print.equals(releaseFingerprint(path, { ...other, extra: [] })))
    assert.ok(!print.equals(releaseFingerprint('a/c' as RelPath, { ...fact, extra: [] })))
  })
})
