// What keys do: moving, sorting, filtering, and orders that are given only after a yes.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Effect, type Key, press } from '../../src/dashboard/model/keys.js'
import { shownList } from '../../src/dashboard/model/list.js'
import { FIRST_UI, screenUi, type Ui } from '../../src/dashboard/model/ui.js'
import type { DaemonView, DriftItem, PeerItem, World } from '../../src/dashboard/model/world.js'
import { busyWorld, daemon, world } from './scene.js'

const SIZE = { columns: 80, rows: 23 }
const LAPTOP = '/var/lib/shoal/laptop'

/** Named keys in angle brackets, the rest as typed. */
function typed(keys: string, of: World = busyWorld(), from: Ui = FIRST_UI): { ui: Ui; effects: Effect[] } {
  let ui = from
  const effects: Effect[] = []
  for (const [part, name] of keys.matchAll(/<([a-z-]+)>|[\s\S]/g)) {
    const key = (name === undefined ? { name: 'text', text: part } : { name }) as Key
    const pressed = press(ui, key, of, SIZE)
    ui = pressed.ui
    if (pressed.effect !== undefined) effects.push(pressed.effect)
  }
  return { ui, effects }
}

function asReader(view: DaemonView): DaemonView {
  if (view.status === undefined) return view
  const shares = view.status.shares.map((share) => ({ ...share, grade: 'read' as const }))
  return { ...view, status: { ...view.status, shares } }
}

function chosen<T>(ui: Ui, of: World = busyWorld()): T {
  const { items, chosen: at } = shownList(of, ui)
  return items[at] as T
}

describe('moving', () => {
  it('goes from screen to screen by number, tab and arrow', () => {
    assert.equal(typed('3').ui.screen, 'transfers')
    assert.equal(typed('3<tab>').ui.screen, 'map')
    assert.equal(typed('<back-tab>').ui.screen, 'drift')
    assert.equal(typed('7<right>').ui.screen, 'overview')
    assert.equal(typed('9').ui.screen, 'overview')
  })

  it('stays on what was chosen when the list changes, and on its place when it has gone', () => {
    const of = busyWorld()
    const { ui } = typed('7<down>')
    const item = chosen<DriftItem>(ui)
    assert.equal(item.drift.path, 'own/extra.ogg')
    const without = (path: string): World => ({
      ...of,
      daemons: of.daemons.map((each) => ({ ...each, drift: each.drift!.filter((one) => one.path !== path) })),
    })
    assert.equal(chosen<DriftItem>(ui, without('etc/motd')).drift.path, 'own/extra.ogg')
    assert.equal(chosen<DriftItem>(ui, without('own/extra.ogg')).drift.path, 'cover.png')
  })

  it('does not leave the list at its ends', () => {
    assert.equal(chosen<DriftItem>(typed('7<up><up>').ui).drift.path, 'etc/motd')
    assert.equal(chosen<DriftItem>(typed('7<page-down><page-down>').ui).drift.path, 'cover.png')
    assert.equal(chosen<DriftItem>(typed('7Gk').ui).drift.path, 'own/extra.ogg')
    const none = world(daemon('a'))
    assert.deepEqual(typed('7<down>ar<end>', none).effects, [])
  })
})

describe('sorting and filtering', () => {
  it('takes one column after the other, and turns it', () => {
    const names = (ui: Ui): string[] =>
      shownList(busyWorld(), ui).items.map((item) => (item as PeerItem).member.name)
    const byName = typed('2<escape>sss', busyWorld(), {
      ...FIRST_UI,
      screens: { peers: { place: 0, filter: '', sorting: 'none' } },
    }).ui
    assert.equal(byName.screen, 'peers')
    const first = typed('2s', busyWorld(), {
      ...FIRST_UI,
      screens: { peers: { place: 0, filter: '', sorting: 'none' } },
    }).ui
    assert.deepEqual(names(first), ['attic', 'nas', 'nas', 'phone'])
    assert.deepEqual(names(typed('S', busyWorld(), first).ui), ['phone', 'nas', 'nas', 'attic'])
  })

  it('shows what holds all words, while they are typed; esc takes that back', () => {
    const { ui } = typed('2/nas mus')
    assert.equal(ui.dialog.type, 'filter')
    const done = typed('<enter>', busyWorld(), ui).ui
    assert.deepEqual(
      shownList(busyWorld(), done).items.map((item) => (item as PeerItem).shareName),
      ['music'],
    )
    // A letter that means something else outside is a letter here.
    assert.equal(screenUi(typed('2/q<backspace>q?1').ui).filter, 'q?1')
    assert.equal(screenUi(typed('<escape>', busyWorld(), done).ui).filter, '')
    assert.equal(screenUi(typed('2/x<escape>').ui).filter, '')
  })
})

describe('orders', () => {
  it('keep a version only after a yes, and not by the enter key', () => {
    assert.deepEqual(typed('6t').effects, [])
    assert.deepEqual(typed('6t<enter>').effects, [])
    assert.deepEqual(typed('6tn').effects, [])
    assert.deepEqual(typed('6ty').effects, [
      {
        type: 'order',
        order: {
          ...{
            type: 'resolve',
            daemon: LAPTOP,
            share: '/data/photos',
            copy: 'notes/plan.md.conflict-phone-20261121',
          },
          ...{ keep: 'this', id: '0123456789abcdef' },
        },
      },
    ])
    const order = typed('6<down>by').effects[0]
    assert.ok(order?.type === 'order' && order.order.type === 'resolve')
    assert.deepEqual([order.order.keep, order.order.id], ['both', '1123456789abcdef'])
  })

  it('acknowledge only with a reason', () => {
    assert.deepEqual(typed('7a<enter>').effects, [])
    assert.deepEqual(typed('7a  <enter>').effects, [])
    assert.deepEqual(typed('7ait is q<backspace>meant<escape>').effects, [])
    assert.deepEqual(typed('7ait is q<backspace>meant<enter>').effects, [
      {
        type: 'order',
        order: {
          type: 'acknowledge',
          daemon: LAPTOP,
          share: '/data/music',
          path: 'etc/motd',
          reason: 'it is meant',
        },
      },
    ])
  })

  it('say why something makes no sense instead of doing it', () => {
    const why = (keys: string): string | undefined => typed(keys).ui.notice?.text
    assert.match(why('7x')!, /the share has it/)
    assert.match(why('7<down>r')!, /the share does not have it/)
    assert.match(why('7w')!, /nobody has acknowledged/)
    assert.match(why('1a')!, /is not halted/)
    assert.match(why('1<end>p')!, /does not answer/)
    // A reader can settle nothing: said before anything is asked.
    const readers: World = { ...busyWorld(), daemons: busyWorld().daemons.map(asReader) }
    for (const key of 'tob') assert.match(typed(`6${key}`, readers).ui.notice!.text, /may only read/)
  })

  it('pause after a yes, go on and look through at once', () => {
    assert.deepEqual(typed('1py').effects, [
      { type: 'order', order: { type: 'pause', daemon: LAPTOP, share: '/data/photos' } },
    ])
    assert.deepEqual(typed('1<down>c').effects, [
      { type: 'order', order: { type: 'rescan', daemon: LAPTOP, share: '/data/music' } },
    ])
  })

  it('quit by q and control-c, but not while something is typed', () => {
    assert.deepEqual(typed('q').effects, [{ type: 'quit' }])
    assert.deepEqual(typed('/q').effects, [])
    assert.deepEqual(typed('/<quit>').effects, [{ type: 'quit' }])
    assert.deepEqual(typed('?q').effects, [])
  })
})
