// dist/program as it was built: what of other people's is inside, that their notices are there, and that compiled code which is
// not what was written is not run.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { commandArgs, MAIN } from '../support/command.js'
import { repository } from '../support/repository.js'

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const root = fileURLToPath(repository)
const program = join(root, 'dist/program')
const texts = readdirSync(program, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.js'))
  .map((file) => readFileSync(join(program, file), 'latin1'))
/** As esbuild says above each module. */
const inside = new Set(
  texts.flatMap((text) => names(text, /^ *\/\/ (?:\S*\/)?node_modules\/((?:@[^/\s]+\/)?[^/\s]+)\/\S+$/gm)),
)
const required = new Set(
  texts.flatMap((text) => names(text, /\b(?:require|import)\)?\("((?:@[^/"]+\/)?[^/"]+)(?:\/[^"]*)?"\)/g)),
)
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  packages: Readonly<Record<string, LockedPackage>>
}
const outside = [...required].filter((name) => packages[`node_modules/${name}`] !== undefined)

describe('the bundle', () => {
  it('has every file that the program starts', () => {
    const started = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => names(readFileSync(join(root, 'src', file), 'utf8'), /\bprogramFile\('([^']+)'\)/g))
    assert.ok(started.length >= 4, started.join(' '))
    for (const file of started) assert.ok(existsSync(join(program, file)), file)
  })

  it('leaves native code outside, and the packages that come as threads or are large', () => {
    for (const name of [
      'lmdb',
      'sodium-native',
      'rocksdb-native',
      'udx-native',
      'piscina',
      '@aws-sdk/client-s3',
    ])
      assert.ok(outside.includes(name) && !inside.has(name), name)
    for (const name of ['hypercore', 'hyperdht', 'zod', 'commander']) assert.ok(inside.has(name), name)
  })

  it('has a second copy only of packages that keep no state and whose values nobody tells apart', () => {
    const twice = [...needed(outside.filter((name) => name !== 'ink' && name !== 'react'))].filter((name) =>
      inside.has(name),
    )
    assert.deepEqual(twice.sort(), [
      ...[
        'b4a',
        'compact-encoding',
        'fast-fifo',
        'ready-resource',
        'resolve-reject-promise',
        'signal-promise',
      ],
    ])
  })

  it('brings the notices of all that is inside', () => {
    const notices = readFileSync(join(program, 'THIRD-PARTY.txt'), 'utf8')
    const listed = notices
      .split(`\n${'-'.repeat(78)}\n\n`)
      .slice(1)
      .map((notice) => notice.split(' ')[0])
    assert.deepEqual([...new Set(listed)].sort(), [...inside].sort())
    assert.match(notices, /^hypercore 11\.[\s\S]+?Permission is hereby granted, free of charge/m)
  })
})

describe('code that was compiled at the build', () => {
  let folder: string
  let main: string
  let code: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'shoal-code-'))
    cpSync(program, join(folder, 'dist/program'), { recursive: true })
    cpSync(join(root, 'package.json'), join(folder, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    const cli = join(folder, 'dist/program/cli')
    main = join(cli, 'main.js')
    code = join(cli, readdirSync(cli).find((name) => name.endsWith('.code')) ?? 'none')
  })
  after(() => rmSync(folder, { recursive: true }))

  /** Whether compiled code was given to V8, and whether it took it. */
  function start(): { readonly given: boolean; readonly refused: boolean | undefined } {
    const [flags, args] = [commandArgs([]).slice(0, -1), ['--version']]
    const asked = `process.on('exit', () => { const { script } = require(${JSON.stringify(main)});
      process.stderr.write(JSON.stringify({ given: script.cachedDataRejected !== undefined, refused: script.cachedDataRejected })) })`
    const preload = join(folder, 'asked.cjs')
    writeFileSync(preload, asked)
    const env = { ...process.env, NODE_OPTIONS: `--require=${JSON.stringify(preload)}` }
    const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, main, ...args], {
      encoding: 'utf8',
      env,
    })
    assert.deepEqual(
      [status, stdout],
      [0, spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' }).stdout],
    )
    return JSON.parse(stderr)
  }

  it('is used', () => {
    assert.deepEqual(start(), { given: true, refused: false })
  })

  it('is not used if a bit of it is another, or it is cut off', () => {
    const whole = readFileSync(code)
    for (const at of [0, 40, whole.length >> 1, whole.length - 1]) {
      const other = Buffer.from(whole)
      other[at]! ^= 4
      writeFileSync(code, other)
      assert.deepEqual(start(), { given: false }, `byte ${at}`)
    }
    for (const bytes of [0, 31, whole.length - 1]) {
      writeFileSync(code, whole.subarray(0, bytes))
      assert.deepEqual(start(), { given: false }, `${bytes} bytes`)
    }
    rmSync(code)
    assert.deepEqual(start(), { given: false })
  })
})

/** These and all they need. */
function needed(from: readonly string[]): Set<string> {
  const found = new Set<string>()
  const visit = (name: string): void => {
    if (found.has(name)) return
    found.add(name)
    const { dependencies, optionalDependencies, peerDependencies } = packages[`node_modules/${name}`] ?? {}
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }))
      visit(next)
  }
  for (const name of from) visit(name)
  return found
}

function names(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name]) => name!)
}
