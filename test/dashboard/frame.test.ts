// The screens as data: at every size every line fits, what matters is told, and nobody's names can draw on the terminal.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { frameOf } from '../../src/dashboard/model/frame.js'
import { lineWidth } from '../../src/dashboard/model/span.js'
import { type Dialog, FIRST_UI, type Ui } from '../../src/dashboard/model/ui.js'
import { EMPTY_WORLD, type World } from '../../src/dashboard/model/world.js'
import type { ScreenId } from '../../src/dashboard/screens/screen.js'
import { SCREENS } from '../../src/dashboard/screens/screens.js'
import { member, share, status } from '../control/fake-backend.js'
import { busyWorld, conflict, daemon, NOW, peerLive, plain, shareLive, transfer, world } from './scene.js'

process.env.TZ = 'UTC'

const SIZES = [
  [60, 17],
  [80, 23],
  [160, 44],
  [61, 17],
  [101, 30],
  [300, 90],
] as const

const DIALOGS: readonly Dialog[] = [
  { type: 'none' },
  { type: 'help', top: 0 },
  { type: 'filter', before: '' },
  {
    ...{
      type: 'confirm',
      title: `Keep this of ${'long/'.repeat(40)}?`,
      lines: ['word '.repeat(60), 'x'.repeat(200)],
    },
    order: { type: 'rescan', daemon: '', share: '/data/photos' },
  },
  {
    ...{ type: 'ask', title: 'Acknowledge?', lines: ['why'], label: 'Reason', text: 'because '.repeat(50) },
    orderOf: () => ({ type: 'rescan', daemon: '', share: '/data/photos' }),
  },
]

function shown(of: World, screen: ScreenId, columns = 80, rows = 23, changes: Partial<Ui> = {}): string[] {
  return plain(frameOf(of, { ...FIRST_UI, screen, ...changes }, { columns, rows }))
}

/** The row of a table that names something. */
function row(lines: readonly string[], start: string): string {
  const found = lines.find((line) => line.slice(2).startsWith(start))
  assert.ok(found, `no row ${start} in\n${lines.join('\n')}`)
  return found
}

describe('every screen', () => {
  it('has exactly as many lines as the terminal, none wider, with every dialog', () => {
    for (const of of [EMPTY_WORLD, busyWorld(), crowd(60)])
      for (const { id } of SCREENS)
        for (const dialog of DIALOGS)
          for (const [columns, rows] of [...SIZES, [40, 10] as const, [20, 5] as const, [1, 1] as const]) {
            const lines = frameOf(of, { ...FIRST_UI, screen: id, dialog }, { columns, rows })
            assert.equal(lines.length, rows, `${id} at ${columns}x${rows}`)
            for (const line of lines)
              assert.ok(lineWidth(line) <= columns, `${id} at ${columns}x${rows}: ${plain([line])}`)
          }
  })

  it('shows the keys for help and for quitting from 60 columns on, and nothing of them is cut', () => {
    for (const { id } of SCREENS) {
      const last = shown(busyWorld(), id, 60, 17).at(-1)!
      assert.match(last, /\? help +q quit$/)
      assert.doesNotMatch(last, /…/)
    }
  })

  it('draws no control character of a name', () => {
    const evil = 'a\u001b[2J\u0007\u202e\n\tb'
    const of = world(
      daemon(evil, {
        status: {
          ...status(
            share({
              dir: `/data/${evil}`,
              state: 'halted',
              haltReason: evil,
              conflicts: 1,
              problems: [{ path: evil, code: evil, detail: evil, sinceMs: NOW }],
              members: [member(evil)],
            }),
          ),
          name: evil,
        },
        live: {
          ...{ at: new Date(NOW).toISOString(), eventLoopDelayMs: null },
          shares: [
            shareLive({
              ...{ dir: `/data/${evil}`, transfers: [transfer(evil)], transferCount: 1 },
              peers: [peerLive(evil, { address: evil })],
            }),
          ],
        },
        conflicts: [conflict(evil, { dir: `/data/${evil}` })],
        events: [{ id: 1, at: new Date(NOW).toISOString(), dir: null, type: 'release', name: evil }],
      }),
    )
    for (const { id } of SCREENS)
      for (const [columns, rows] of SIZES)
        for (const line of shown(of, id, columns, rows)) assert.doesNotMatch(line, /[\p{Cc}\u202e]/u)
  })

  it('says what is the matter where there is nothing', () => {
    const idle = world(daemon('a', { status: status(share({ members: [] })) }))
    const texts: Readonly<Partial<Record<ScreenId, RegExp>>> = {
      peers: /no other members yet/,
      transfers: /nothing is being fetched/,
      log: /nothing has happened/,
      conflicts: /no conflicts/,
      drift: /no drift/,
    }
    for (const [id, text] of Object.entries(texts)) assert.match(shown(idle, id as ScreenId).join('\n'), text)
  })
})

describe('the overview', () => {
  it('tells of each share: state, what is missing, rates, who is in sync, what to look at', () => {
    const lines = shown(busyWorld(), 'overview', 100)
    assert.match(row(lines, 'photos'), /syncing .* 400 MiB +8\.0 MiB +256 KiB +1\/3 +3$/)
    assert.match(row(lines, 'music'), /idle .* 1\/1 +3$/)
    assert.match(row(lines, 'www'), /halted .* alone +1$/)
    assert.match(row(lines, 'server'), /no reply/)
    assert.match(lines[0]!, /1 without reply/)
  })

  it('tells why a member is not in sync, and since when one is gone', () => {
    const text = shown(busyWorld(), 'overview', 100, 40).join('\n')
    assert.match(text, /phone {2}40 files, 500 MiB behind {2}udx 203\.0\.113\.7:49152/)
    assert.match(text, /attic {2}unreachable for 2h 29m/)
    assert.match(text, /syncing, 34 files, 400 MiB missing, 75 % is here, about 50s left/)
    assert.match(text, /problem +a\/b\\u\{1b\}\[2J\.jpg: cannot write/)
  })

  it('names shares alike by their daemon, and by their folder if that is alike, too', () => {
    const two = [daemon('a'), daemon('b')]
    assert.match(shown(world(...two), 'overview').join('\n'), /a:photos[\s\S]*b:photos/)
    const same = [daemon('a'), { ...daemon('a'), key: 'other' }]
    assert.match(shown(world(...same), 'overview').join('\n'), /\/data\/photos[\s\S]*\/data\/photos/)
  })

  it('never takes an old answer of a silent daemon for true', () => {
    const why = 'the daemon of a storage path with quite a long name is not running'
    const gone = world(
      daemon('a', { reach: { type: 'down', why }, status: status(share({ conflicts: 3, drift: 2 })) }),
    )
    const text = shown(gone, 'overview').join('\n')
    assert.match(text, /no reply/)
    assert.doesNotMatch(text, /idle/)
    assert.match(shown(gone, 'peers').join('\n'), /no other members/)
    assert.doesNotMatch(text, /Conflicts \(|Drift \(/)
    // The end of the reason is what matters.
    assert.match(shown(gone, 'overview', 60, 18).join('\n'), /is not running/)
  })
})

describe('peers, transfers and the map', () => {
  it('show how much each peer holds, and what is chosen in detail', () => {
    const lines = shown(busyWorld(), 'peers', 160, 40)
    assert.match(row(lines, 'phone'), /photos +write 40 files behind +udx 203\.0\.113\.7:49152 +43 ms/)
    assert.match(row(lines, 'attic'), /unreachable .* 2h 29m ago$/)
    assert.match(lines.join('\n'), /holds +█+·+ 25 % \(300 of 1200 pieces\)/)
  })

  it('show rate, time left and from whom a file comes', () => {
    const lines = shown(busyWorld(), 'transfers', 160, 40, {
      screens: { transfers: { place: 1, filter: '富士' } },
    })
    assert.match(lines.join('\n'), /富士山の写真\.jpg .* 90% +100 MiB +3\.0 MiB +25s nas, phone/)
    assert.match(lines.join('\n'), /from +nas +█+[▉-▏]?·* 60\.0 MiB\n +phone +█+[▉-▏]?·* 30\.0 MiB/)
  })

  it('say of a file that rests whether others are fetched before it', () => {
    const chosen = { screens: { transfers: { place: 2, filter: 'big' } } }
    const busy = busyWorld()
    assert.match(
      shown(busy, 'transfers', 80, 24, chosen).join('\n'),
      /0 B of 4\.0 GiB, waits its turn: what fewest hold comes first/,
    )
    const still = {
      ...busy,
      daemons: busy.daemons.map((each) => ({
        ...each,
        live: each.live && {
          ...each.live,
          shares: each.live.shares.map((share) => ({ ...share, downRate: 0 })),
        },
      })),
    }
    assert.match(shown(still, 'transfers', 80, 24, chosen).join('\n'), /0 B of 4\.0 GiB, nothing moves/)
  })

  it('draw the copies of each stretch of pieces', () => {
    const text = shown(busyWorld(), 'map', 80, 23).join('\n')
    assert.match(text, /here +█{40}·{20}\n copies +(1234){15}/)
    assert.match(text, /rarest +12 with 1 copy/)
    assert.match(text, /laptop \(here\) +█+·+ 67 %/)
  })
})

describe('conflicts and drift', () => {
  it('show both versions side by side, with who and when', () => {
    const text = shown(busyWorld(), 'conflicts').join('\n')
    assert.match(text, /by +laptop +│ phone/)
    assert.match(text, /when +2026-11-21 19:02:04 +│ 2026-11-21 19:00:00/)
    assert.match(text, /size +1\.5 KiB \(1536\) +│ 1\.7 KiB \(1700\)/)
    assert.match(text, /newer +yes/)
  })

  it('keep both versions in sight while it is asked what to keep', () => {
    const dialog: Dialog = {
      ...{ type: 'confirm', title: 'Keep this?', lines: ['It stays.'] },
      order: { type: 'rescan', daemon: '', share: '/data/photos' },
    }
    for (const [columns, rows] of SIZES) {
      const text = shown(busyWorld(), 'conflicts', columns, rows, { dialog }).join('\n')
      assert.match(text, /y yes {3}n no/)
      assert.match(text, /THIS, at the path/)
    }
  })

  it('tell what differs and what becomes of it', () => {
    const lines = shown(busyWorld(), 'drift', 120)
    assert.match(row(lines, 'etc/motd'), /music +changed +content +11-20 18:02 stays/)
    assert.match(row(lines, 'own/extra.ogg'), /extra/)
    assert.match(row(lines, 'cover.png'), /acknowledged/)
  })
})

describe('a long list', () => {
  it('keeps the chosen one in sight, and says where it is', () => {
    const of = crowd(300)
    const key = of.daemons[0]!.status!.shares[0]!.members[200]!.device
    const ui = {
      screens: {
        peers: { chosen: `${of.daemons[0]!.key}#0#${key}`, place: 200, filter: '', sorting: 'none' as const },
      },
    }
    const lines = shown(of, 'peers', 80, 23, ui)
    assert.match(lines.join('\n'), /▸ m200 /)
    assert.match(lines.join('\n'), /201 of 300/)
  })
})

/** One share with so many members. */
function crowd(count: number): World {
  const members = Array.from({ length: count }, (_, at) => member(`m${at}`))
  return world(daemon('a', { status: status(share({ members })) }))
}

describe('limits', () => {
  const none = { rate: 0, by: 'configuration', until: null } as const
  const upload = { rate: 102_400, by: 'schedule', until: '2026-11-22T18:00:00.000Z' } as const
  const own = { rate: 20_480, by: 'set', until: null } as const

  it('are told beside the state of a share, those for all and its own, and not where there are none', () => {
    const limits = {
      ...{ download: 0, upload: 102_400, holdLocally: false, held: { download: none, upload } },
      shares: [{ dir: '/data/photos', share: 0, download: own, upload: none }],
    }
    const told = shown(world(daemon('a', { status: { ...status(share()), limits } })), 'overview', 110, 30)
    const at = told.findIndex((line) => line.startsWith(' limits'))
    assert.match(told[at]!, /for all shares: upload 100 KiB\/s by the schedule until 2026-11-22T18:00:00Z/)
    assert.match(told[at + 1]!, /for this one: download 20\.0 KiB\/s, set by hand/)
    assert.ok(!shown(world(daemon('a')), 'overview', 110, 30).some((line) => line.startsWith(' limits')))
  })
})
