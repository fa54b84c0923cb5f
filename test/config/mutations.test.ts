// A thousand broken configurations: each gives a configuration or one ShoalError whose every line has its place, and
// nothing that is said holds any of a secret. A hundred of them, too, through the command itself.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { loadSecrets, readConfig } from '../../src/config/secrets.js'
import { ShoalError } from '../../src/core/error.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { commandArgs } from '../support/command.js'
import { mutate } from '../support/mutate.js'
import { repository } from '../support/repository.js'

const COUNT = 1000
const W = formatSecret(writeSecretOf(Buffer.alloc(32, 7)))
const OLD = 'AFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN'
/** A piece this long of a secret must not be said. */
const PIECE = 16

const article = readFileSync(
  new URL('examples/btsync/configs.www-data.www-data.conf', repository),
  'utf8',
).replaceAll('DAEMON_', 'daemon ')
const everything = JSON.stringify(
  {
    device_name: 'café',
    listening_port: '44444',
    listen_host: '127.0.0.1',
    storage_path: 'store',
    pid_file: 'run/a.pid',
    folder_rescan_interval: 600,
    sync_trash_ttl: 30,
    max_file_size_for_versioning: 1000,
    bootstrap: ['127.0.0.1:49737'],
    interfaces: ['lo'],
    download_limit: '0',
    check_for_updates: 0,
    'folder_defaults.use_dht': 1,
    folder_defaults: { known_hosts: 'a.example:1,b.example:2', delete_to_trash: 'true' },
    webui: { listen: '127.0.0.1:8888', login: 'a', password: 'b', dir_whitelist: ['/x'] },
    shared_folders: [
      { secret: W, dir: '/nonexistent/a', known_hosts: ['192.0.2.1:1', '[::1]:2'], search_lan: 'false' },
      {
        secret: OLD,
        dir: '/nonexistent/b',
        overwrite_changes: true,
        on_change: [
          {
            match: ['a/**', '!b'],
            run: ['true', 'x'],
            settle: '2s',
            retry: { times: 1, wait: '5s' },
            env: { A: 'b' },
          },
        ],
      },
    ],
  },
  undefined,
  2,
)

/** What every line that is said must be: a place within the file, and no piece of a secret. */
function assertSaid(said: string, file: string, bytes: Buffer, what: string): void {
  const lines = bytes.toString().split(/\r\n|\n|\r/).length
  for (const line of said.split('\n')) {
    assert.ok(line.startsWith(`${file}:`), `${what}: ${JSON.stringify(line)}`)
    const [, row, column] = /^:(\d+):(\d+): [^\p{Cc}]+$/u.exec(line.slice(file.length)) ?? []
    assert.ok(
      Number(row) >= 1 && Number(row) <= lines && Number(column) >= 1,
      `${what}: ${JSON.stringify(line)}`,
    )
    assert.ok(line.length < 1000, `${what}: ${line.length} characters`)
  }
  assertNoSecret(said, what)
}

function assertNoSecret(said: string, what: string): void {
  for (const secret of [W, OLD])
    for (let at = 0; at + PIECE <= secret.length; at++)
      assert.ok(!said.includes(secret.slice(at, at + PIECE)), `${what}: ${said}`)
}

describe('a thousand mutated configurations', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'shoal-mutated-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  const write = (seed: number): { file: string; bytes: Buffer; what: string } => {
    const { bytes, how } = mutate(seed % 2 === 0 ? article : everything, seed)
    const file = join(folder, `m${seed}.conf`)
    writeFileSync(file, bytes, { mode: 0o600 })
    return { file, bytes, what: `seed ${seed} (${how.join(', ')})` }
  }

  it('each give a configuration or an error with line and column', async () => {
    const seen = { sound: 0, CONFIG_INVALID: 0, NOT_YET: 0 }
    for (let seed = 0; seed < COUNT; seed++) {
      const { file, bytes, what } = write(seed)
      try {
        const { config, warnings } = await readConfig(file)
        for (const { text } of warnings) assertSaid(text, file, bytes, what)
        await loadSecrets(config)
        seen.sound++
      } catch (error) {
        assert.ok(error instanceof ShoalError, `${what}: ${String(error)}`)
        assert.ok(error.code === 'CONFIG_INVALID' || error.code === 'NOT_YET', `${what}: ${error.code}`)
        assertSaid(error.message, file, bytes, what)
        seen[error.code]++
      }
    }
    // The stream of mutations is worth something only if it leads to both.
    assert.ok(seen.sound > 50 && seen.CONFIG_INVALID > 500, JSON.stringify(seen))
  })

  it('through shoal check: an answer for each, never a stack', () => {
    const seeds = Array.from({ length: 100 }, (_, at) => at * 10 + (at % 2))
    const written = seeds.map(write)
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      commandArgs(['check', '--json', ...written.map(({ file }) => file)]),
      { encoding: 'utf8', env: { SHOAL_DEBUG: '1' } },
    )
    assert.deepEqual([stderr, status], ['', 1])
    assertNoSecret(stdout, 'all')
    const reports = JSON.parse(stdout) as { file: string; ok: boolean; errors: string[] }[]
    assert.equal(reports.length, seeds.length)
    for (const [at, { file, ok, errors }] of reports.entries()) {
      const { bytes, what, file: expected } = written[at]!
      assert.equal(file, expected)
      assert.equal(ok, errors.length === 0)
      for (const error of errors) assertSaid(error, file, bytes, what)
    }
    for (const { file, what } of written.slice(0, 5)) {
      const one = spawnSync(process.execPath, commandArgs(['check', file]), { encoding: 'utf8', env: {} })
      assert.equal(one.stderr, '', what)
      assert.match(one.stdout, /^\S+: would (?:not )?run\n/, what)
      assert.equal(one.status, one.stdout.includes(': would run\n') ? 0 : 1, what)
      assertNoSecret(one.stdout, what)
    }
  })
})
