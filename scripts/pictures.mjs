// npm run pictures: five real daemons on loopback with work to do, the dashboard of one of them in a real terminal (tmux),
// and what it shows as SVG pictures in docs/pictures/. With --png DIR also as PNG, by rsvg-convert, to look at.
//   laptop   writes, fetches, has conflicts and a problem to look at; the dashboard is of it and of the server
//   nas      holds everything      phone   writes, too      server   only reads, and has drift      attic   is switched off
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import stringWidth from 'string-width'
import { svgOf } from './pictures/ansi-svg.mjs'

const { values } = parseArgs({ options: { png: { type: 'string' } } })
const built = (file) => import(new URL(`../dist/test/${file}`, import.meta.url))
const { withWorld, converged, eventually, pause } = await built('support/daemons.js')
const { Terminal } = await built('support/tmux.js')
const MAIN = fileURLToPath(new URL('../dist/program/cli/main.js', import.meta.url))
const OUT = fileURLToPath(new URL('../docs/pictures/', import.meta.url))

const SIZES = [
  [60, 18],
  [80, 24],
  [160, 45],
]
/** Kept in docs; the others are to look at. */
const KEPT = /80x24$|^(overview|peers|map)-160x45$/
const MIB = 1 << 20

// A short place, which is in the pictures.
await withWorld({ base: '/tmp' }, async (world) => {
  const options = (name) => ({
    grade: name === 'server' ? 'read' : 'write',
    configName: `${name}.conf`,
    dir: path.join(world.root, name, 'photos'),
    // Fetched from several, at a rate that can be watched: on loopback limits count only if told.
    config: { download_limit: name === 'laptop' ? 6000 : 0, rate_limit_local_peers: true },
  })
  const nodes = await world.start(['laptop', 'nas', 'phone', 'server', 'attic'], options)
  const [laptop, nas, phone, server, attic] = nodes
  for (let at = 0; at < 60; at++)
    nas.write(`2026/0${1 + (at % 9)}/IMG_${1000 + at}.jpg`, randomBytes(MIB / 4))
  laptop.write('notes/plan.md', '# Plan\n')
  laptop.write('budget.ods', randomBytes(4096))
  await converged(nodes)
  await attic.stop()
  await phone.stop()
  laptop.write('notes/plan.md', '# Plan\n\nBy boat.\n')
  laptop.write('budget.ods', randomBytes(5000))
  fs.writeFileSync(phone.at('notes/plan.md'), '# Plan\n\nBy train, and then on foot.\n')
  fs.writeFileSync(phone.at('budget.ods'), randomBytes(6000))
  await laptop.client.settle()
  await phone.start()
  await eventually('conflicts', async () => (await laptop.client.conflicts()).length === 2)
  await converged([laptop, nas, phone, server])
  fs.appendFileSync(server.at('notes/plan.md'), 'And by bicycle.\n')
  server.write('own/extra.txt', 'of the server alone\n')
  fs.chmodSync(server.at('2026/02/IMG_1001.jpg'), 0o600)
  await eventually('drift', async () => (await server.share()).drift >= 3)

  const dashboards = []
  for (const [columns, rows] of SIZES) {
    const command = [process.execPath, MAIN, 'dashboard', laptop.configFile, server.configFile]
    dashboards.push(await Terminal.open({ columns, rows, command }))
  }
  try {
    for (const terminal of dashboards) await terminal.shows(/laptop:photos/)
    // Something to fetch for as long as the pictures take.
    for (let at = 0; at < 6; at++) nas.write(`film/scene ${at + 1}.mov`, randomBytes(70 * MIB + at * 5 * MIB))
    phone.write('2026/Zürich/Föhn über dem See.jpg', randomBytes(30 * MIB))
    await eventually('transfers', async () => (await laptop.client.live()).shares[0].transferCount > 1)
    await pause(12_000)
    await laptop.client.setLimits({ download: 2 * MIB, upload: 0 })
    await pause(6000)
    await laptop.client.setLimits({ download: 9 * MIB, upload: 0 })
    await pause(6000)
    fs.mkdirSync(OUT, { recursive: true })
    const screens = [
      ['overview', '1'],
      ['peers', '2'],
      ['transfers', '3'],
      ['map', '4'],
      ['log', '5'],
      ['conflicts', '6'],
      ['drift', '7'],
      ['help', '?'],
    ]
    for (const [name, key] of screens)
      for (const [at, [columns, rows]] of SIZES.entries()) {
        const terminal = dashboards[at]
        await terminal.press(key)
        await pause(2600)
        const file = `${name}-${columns}x${rows}`
        const title = `shoal dashboard: ${name}, ${columns}x${rows}`
        const svg = svgOf(title, await terminal.coloured(), columns, rows, stringWidth)
        if (KEPT.test(file)) fs.writeFileSync(path.join(OUT, `${file}.svg`), svg)
        if (values.png !== undefined) {
          fs.mkdirSync(values.png, { recursive: true })
          const png = path.join(values.png, `${file}.png`)
          execFileSync('rsvg-convert', ['-o', png], { input: svg })
        }
      }
  } finally {
    for (const terminal of dashboards) await terminal.close()
  }
})
