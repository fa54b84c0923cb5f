// examples/desktop: the unit runs a command that exists and gives up where a restart cannot help, the script sets the limits
// by what NetworkManager says, the plist is what launchd takes.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { errorCodes, meaningOf } from '../src/core/error.js'
import { repository } from './support/repository.js'

const FOLDER = fileURLToPath(new URL('examples/desktop/', repository))
const read = (name: string): string => fs.readFileSync(path.join(FOLDER, name), 'utf8')

test('the unit runs what backup add writes, and is not restarted for what a person has to mend', () => {
  const unit = read('shoal@.service')
  assert.match(unit, /^ExecStart=\/usr\/bin\/shoal run %h\/\.config\/shoal\/%i\.conf$/m)
  const exits = /^RestartPreventExitStatus=(.*)$/m.exec(unit)![1]!.split(' ').map(Number)
  const known = new Set(errorCodes().map((code) => meaningOf(code).exit))
  for (const exit of exits) assert.ok(known.has(exit), String(exit))
  const system = fs.readFileSync(new URL('examples/systemd/shoal@.service', repository), 'utf8')
  assert.ok(system.includes(`RestartPreventExitStatus=${exits.join(' ')}\n`), 'as the unit of servers')
})

test('systemd finds nothing wrong with the unit', (t) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-unit-'))
  try {
    // Its program is installed elsewhere, or not at all, where tests run.
    const unit = path.join(root, 'shoal@backup.service')
    fs.writeFileSync(unit, read('shoal@.service').replace('/usr/bin/shoal', '/bin/true'))
    const { error, status, stderr } = spawnSync('systemd-analyze', ['--user', '--man=no', 'verify', unit], {
      encoding: 'utf8',
      env: { ...process.env, XDG_RUNTIME_DIR: root, HOME: root },
    })
    if (error !== undefined) return t.skip('there is no systemd-analyze')
    if (status !== 0 && !stderr.includes('shoal@')) return t.skip('systemd-analyze cannot run here')
    // Those two came with systemd 254, and older ones say so.
    const found = stderr
      .split('\n')
      .filter((line) => line.includes('shoal@') && !/'Restart(Steps|MaxDelaySec)'/.test(line))
    assert.deepEqual(found, [])
  } finally {
    fs.rmSync(root, { recursive: true })
  }
})

test('the script lowers the limits on what costs, and puts them back', () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-metered-'))
  const program = (name: string, text: string): void =>
    fs.writeFileSync(path.join(root, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  program('ip', 'echo "default via 192.0.2.1 dev wlan0 proto dhcp metric 600"')
  program('nmcli', '[ "$*" = "--get-values GENERAL.METERED device show wlan0" ] && echo "$METERED"')
  program('runuser', 'shift 3; exec "$@"')
  program('shoal', 'echo "$@" >> "$SAID"; exit "$EXIT"')
  const said = path.join(root, 'said')
  const run = (action: string, METERED: string, EXIT = '0'): number | null =>
    spawnSync(path.join(FOLDER, '50-shoal-metered'), ['wlan0', action], {
      env: {
        PATH: `${root}:/usr/bin:/bin`,
        SAID: said,
        METERED,
        EXIT,
        SHOAL_CONFIG: '/c',
        SHOAL_UPLOAD: '500',
      },
    }).status
  try {
    assert.equal(run('up', 'yes (guessed)'), 0)
    assert.equal(run('connectivity-change', 'no (guessed)'), 0)
    assert.equal(run('down', 'yes'), 0)
    assert.equal(run('up', 'yes', '69'), 0, 'no daemon is no failure')
    assert.equal(run('up', 'yes', '70'), 1)
    assert.deepEqual(fs.readFileSync(said, 'utf8').trim().split('\n'), [
      'limits /c --download 16 --upload 16',
      'limits /c --download 0 --upload 500',
      'limits /c --download 16 --upload 16',
      'limits /c --download 16 --upload 16',
    ])
  } finally {
    fs.rmSync(root, { recursive: true })
  }
})

test('the plist is whole, and runs the same command', () => {
  const plist = read('org.shoal.backup.plist')
  assert.match(plist, /<key>Label<\/key>\s*<string>org\.shoal\.backup<\/string>/)
  assert.match(plist, /exec shoal run "\$HOME\/\.config\/shoal\/backup\.conf"/)
  // Every element that is opened is closed, in order.
  const open: string[] = []
  for (const [, slash, name, empty] of plist
    .replace(/<!--[\s\S]*?-->/g, '')
    .matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
    if (empty === '/') continue
    if (slash === '/') assert.equal(open.pop(), name)
    else open.push(name!)
  }
  assert.deepEqual(open, [])
})
