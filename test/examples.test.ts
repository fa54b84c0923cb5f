// What examples/ and the README show is right: configurations are read without a warning, the program that embeds a node
// runs, and the README's commands and configuration are those that exist.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { runCli } from '../src/cli/program.js'
import { parseConfig } from '../src/config/config.js'
import { repository } from './support/repository.js'

const FOLDER = new URL('examples/three-servers/', repository)
const SERVERS = ['ams1', 'fra1', 'par1']

function exampleOf(name: string): ReturnType<typeof parseConfig> {
  return parseConfig(readFileSync(new URL(`${name}.conf`, FOLDER), 'utf8'), `/etc/shoal/${name}.conf`)
}

test('examples/three-servers: every configuration is read without a warning', () => {
  const names = readdirSync(FOLDER).map((name) => name.replace('.conf', ''))
  assert.deepEqual(names.sort(), [...SERVERS, 'reader'].sort())
  for (const name of names) assert.deepEqual(exampleOf(name).warnings, [], name)
})

test('examples/three-servers: one secret, different names, and everybody knows the two others', () => {
  const configs = SERVERS.map((name) => exampleOf(name).config)
  assert.deepEqual(
    configs.map(({ deviceName }) => deviceName),
    SERVERS,
  )
  const shares = configs.map(({ shares: [share] }) => share!)
  for (const { secret } of shares) assert.deepEqual(secret, { file: '/etc/shoal/www.secret' })
  const hosts = new Set(shares.flatMap(({ knownHosts }) => knownHosts))
  assert.equal(hosts.size, 3)
  for (const { knownHosts } of shares) assert.equal(knownHosts.length, 2)
  const reader = exampleOf('reader').config.shares[0]!
  assert.deepEqual(new Set(reader.knownHosts), hosts)
  assert.notDeepEqual(reader.secret, shares[0]!.secret)
  assert.equal(reader.overwriteChanges, true)
})

test('examples/hooks: read without a warning, each hook with its program', () => {
  const text = readFileSync(new URL('examples/hooks/mail.conf', repository), 'utf8')
  const { config, warnings } = parseConfig(text, '/etc/shoal/mail.conf')
  assert.deepEqual(warnings, [])
  assert.deepEqual(
    config.shares[0]!.onChange.map(({ run }) => run[0]),
    ['systemctl', 'sh', 'make'],
  )
})

test('examples/btsync: a file of the old package is read as it is', () => {
  const folder = new URL('examples/btsync/', repository)
  const names = readdirSync(folder)
  assert.deepEqual(names, ['configs.www-data.www-data.conf'])
  const text = readFileSync(new URL(names[0]!, folder), 'utf8')
  assert.ok(text.startsWith('//!/usr/lib/btsync/btsync-daemon --config\n'))
  const { config, warnings } = parseConfig(text, `/etc/btsync/${names[0]}`)
  assert.deepEqual([config.deviceName, config.listeningPort], ['app01 config', 12345])
  assert.deepEqual(
    warnings.map(({ key }) => key),
    ['check_for_updates', 'shared_folders[0].use_relay_server', 'shared_folders[0].use_tracker'],
  )
})

test('examples/embed: two nodes in one program hold the same', async () => {
  const program = fileURLToPath(new URL('../examples/embed/embed.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 30_000 })
  assert.equal(stdout, 'in-sync: hello from the writer\n')
})

/** The README's fenced blocks of one language that are marked as tested by a comment on the line above. */
function readmeBlocks(language: string): string[] {
  const page = readFileSync(new URL('README.md', repository), 'utf8')
  const fence = new RegExp(`<!-- tested -->\\n\`\`\`${language}\\n(.*?)\`\`\``, 'gs')
  return [...page.matchAll(fence)].map(([, block]) => block!)
}

test('README: the configurations it shows are read without a warning', () => {
  const blocks = readmeBlocks('jsonc')
  assert.ok(blocks.length > 0)
  for (const block of blocks) assert.deepEqual(parseConfig(block, '/etc/shoal/shoal.conf').warnings, [])
})

test('README: every npm command it shows is a script of the package', () => {
  const { scripts } = JSON.parse(readFileSync(new URL('package.json', repository), 'utf8')) as {
    scripts: Record<string, string>
  }
  const commands = readmeBlocks('sh').flatMap((block) =>
    [...block.matchAll(/npm (?:run )?(\w+)/g)].map(([, name]) => name!),
  )
  assert.ok(commands.includes('demo') && commands.includes('test'))
  for (const name of commands) if (name !== 'ci') assert.ok(scripts[name] !== undefined, `npm run ${name}`)
})

test('README: the commands of its secret example work, and every other command it shows exists', async (t) => {
  const scratch = await mkdtemp(join(tmpdir(), 'shoal-readme-'))
  t.after(() => rm(scratch, { recursive: true }))
  const lines = readmeBlocks('sh').flatMap((block) => block.split('\n'))
  let ran = 0
  for (const line of lines) {
    const match = /^(?:\(umask 077; )?shoal (.*?)\)?(?: > (\S+?)\)?)?(?:\s+#.*)?$/.exec(line.trim())
    if (match === null) continue
    const args = match[1]!.split(' ')
    if (args[0] === 'secret') {
      const file = (name: string): string => join(scratch, name.replace(/^.*\//, ''))
      const result = await cli(args.map((each) => (each.endsWith('.secret') ? file(each) : each)))
      assert.equal(result.exit, 0, `${line}: ${result.err}`)
      if (match[2] !== undefined) await writeFile(file(match[2]), result.out)
    } else {
      const help = await cli([...args.filter((each) => /^[a-z]+$/.test(each)).slice(0, 1), '--help'])
      assert.equal(help.exit, 0, line)
      for (const option of args.filter((each) => each.startsWith('--')))
        assert.ok(help.out.includes(option), line)
    }
    ran++
  }
  assert.ok(ran >= 5, `only ${ran} commands were found`)
})

async function cli(args: readonly string[]): Promise<{ exit: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const exit = await runCli(args, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    stdin: Readable.from([]),
    env: {},
  })
  return { exit, out, err }
}
