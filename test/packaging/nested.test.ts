// The bundle where an installer has put at the top only what our package.json names, as pnpm does, or something else besides: what the
// named packages need is found from them.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { commandArgs } from '../support/command.js'
import { repository } from '../support/repository.js'

const root = fileURLToPath(repository)
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  dependencies: Readonly<Record<string, string>>
}
/** Outside of the bundle and not named by us. Without the first two a daemon goes on, slower. */
const UNNAMED = ['quickbit-native', 'simdle-native', 'rocksdb-native', 'streamx', 'udx-native'] as const
type Unnamed = (typeof UNNAMED)[number]

for (const [layout, others] of [
  ['what package.json names alone', undefined],
  ['other versions of what it does not name', "throw new Error('another version')"],
] as const)
  describe(`the bundle, at the top ${layout}`, () => {
    let folder: string
    let home: string
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'shoal-nested-'))
      home = join(folder, 'shoal')
      cpSync(join(root, 'dist/program'), join(home, 'dist/program'), { recursive: true })
      cpSync(join(root, 'package.json'), join(home, 'package.json'))
      for (const name of Object.keys(dependencies)) {
        const place = join(home, 'node_modules', name)
        mkdirSync(dirname(place), { recursive: true })
        symlinkSync(realpathSync(join(root, 'node_modules', name)), place)
      }
      if (others === undefined) return
      for (const name of UNNAMED) {
        assert.equal(dependencies[name], undefined)
        mkdirSync(join(home, 'node_modules', name))
        writeFileSync(join(home, 'node_modules', name, 'index.js'), others)
      }
    })
    after(() => rmSync(folder, { recursive: true }))

    it('has a daemon with a share, and its native code', async () => {
      const secret = command(['secret', 'new', '--grade', 'write']).trim()
      const config = join(folder, 'shoal.conf')
      mkdirSync(join(folder, 'dir'))
      const share = { secret, dir: 'dir', search_lan: false }
      const keys = { listen_host: '127.0.0.1', interfaces: ['lo'], storage_path: 'store' }
      writeFileSync(config, JSON.stringify({ ...keys, shared_folders: [share] }), { mode: 0o600 })
      const loaded = await untilLine(['run', config], 'stderr', '"msg":"ready"')
      assert.deepEqual(loaded, ['quickbit-native', 'simdle-native', 'rocksdb-native', 'streamx'])
    })

    it('has a node of the DHT', async () => {
      const args = ['dht', '--listen', '127.0.0.1:0', '--log-level', 'silent']
      const loaded = await untilLine(args, 'stdout', '127.0.0.1:')
      for (const name of ['streamx', 'udx-native'] as const) assert.ok(loaded.includes(name), name)
    })

    function command(args: readonly string[]): string {
      const { status, stdout, stderr } = spawnSync(process.execPath, inHome(args), { encoding: 'utf8' })
      assert.equal(status, 0, stderr)
      return stdout
    }

    /** Runs it until it prints such a line, then stops it; which of those packages it had loaded. */
    async function untilLine(
      args: readonly string[],
      output: 'stdout' | 'stderr',
      text: string,
    ): Promise<Unnamed[]> {
      const told = join(folder, 'loaded.json')
      const preload = join(folder, 'tell.cjs')
      writeFileSync(
        preload,
        `if (require('node:worker_threads').isMainThread) process.on('exit', () =>
          require('node:fs').writeFileSync(${JSON.stringify(told)}, JSON.stringify(Object.keys(require.cache))))`,
      )
      const child = spawn(process.execPath, inHome(args), {
        stdio: ['ignore', 'pipe', 'pipe'],
        ...{ timeout: 60_000, killSignal: 'SIGKILL' },
        env: { SHOAL_PUBLIC_DHT: 'off', NODE_OPTIONS: `--require=${JSON.stringify(preload)}` },
      })
      const ended = new Promise((resolve) => child.on('close', (...how) => resolve(how)))
      const said: string[] = []
      let found = false
      const reading = [child.stdout, child.stderr].map(async (stream) => {
        for await (const line of createInterface({ input: stream })) {
          said.push(line)
          if (stream !== child[output] || !line.includes(text)) continue
          found = true
          child.kill('SIGTERM')
        }
      })
      await Promise.all(reading)
      assert.deepEqual(await ended, [0, null], said.join('\n'))
      assert.ok(found, said.join('\n'))
      const files = JSON.parse(readFileSync(told, 'utf8')) as string[]
      return UNNAMED.filter((name) => files.some((file) => file.includes(`/node_modules/${name}/`)))
    }

    function inHome(args: readonly string[]): string[] {
      return [...commandArgs([]).slice(0, -1), join(home, 'dist/program/cli/main.js'), ...args]
    }
  })
