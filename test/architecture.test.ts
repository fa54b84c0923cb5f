// Reads the import statements of src and fails on a wrong arrow, a cycle, or anything in core that is not a function of
// its arguments (docs/design.md, "Layout"). What is allowed stands in one table.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { repository } from './support/repository.js'

/** For each folder of src: what its files may import of the others. Its own folder is always allowed. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  ports: ['core/'],
  store: ['core/', 'ports/'],
  feed: ['core/', 'ports/'],
  swarm: ['core/', 'ports/'],
  exchange: ['core/', 'ports/'],
  // A service of its own: it knows addresses and sockets as the swarm does, and nothing of shares.
  relay: ['core/', 'ports/', 'swarm/endpoint', 'swarm/tcp'],
  folder: ['core/', 'ports/'],
  // Has the router open the port that the swarm listens on.
  nat: ['core/', 'ports/', 'swarm/endpoint'],
  // Speaks to who is no member yet over the same port, proofs and ways to find each other.
  invite: ['core/', 'ports/', 'swarm/'],
  control: ['core/', 'ports/'],
  // Programs run after changes; what is pending is kept among the share's tables.
  hooks: ['core/', 'ports/', 'store/tables'],
  // What a node keeps that cannot read: packs, and an index of them among the tables.
  vault: ['core/', 'ports/', 'store/tables'],
  // What a pattern is, the folder knows; what one of a hook is, is said where it is matched.
  config: ['core/', 'folder/path-patterns', 'hooks/patterns'],
  // As whom a configuration runs, before anybody understands it: its text, positions and problems.
  instance: ['core/', 'ports/program', 'config/problems', 'config/json', 'config/open', 'config/source'],
  // Looks at everything and changes nothing: configurations, folders as the daemon sees them, its answers.
  doctor: [
    ...['core/', 'config/', 'instance/', 'control/client', 'control/schema'],
    ...[
      'folder/attributes',
      'folder/marker',
      'folder/safefs',
      'swarm/endpoint',
      'ports/log',
      'ports/package-version',
    ],
    ...['vault/pack-storage', 'swarm/proxy-dial', 'swarm/dial-failure'],
  ],
  // Starts daemons as processes and knows none of their parts; its socket and lock are made as theirs are.
  supervisor: ['core/', 'ports/', 'config/', 'instance/', 'control/', 'daemon/lock'],
  daemon: [
    ...['core/', 'ports/', 'config/', 'store/', 'feed/', 'swarm/', 'exchange/', 'folder/', 'invite/'],
    ...['nat/', 'control/', 'instance/', 'hooks/', 'vault/'],
  ],
  // Asks daemons as any other program does. Sizes and names are written as the commands write them.
  dashboard: [
    ...[
      'core/',
      'control/client',
      'control/schema',
      'control/event-client',
      'config/places',
      'config/secrets',
    ],
    ...['supervisor/configs', 'supervisor/place', 'cli/text', 'cli/limit-text'],
  ],
  // Reading configurations and logging, which pull in no shell. What runs for long is imported lazily.
  cli: [
    'core/',
    'ports/',
    'control/client',
    'control/event-client',
    'control/schema',
    'control/wait',
    'config/',
    'instance/',
    'daemon/log',
    'daemon/log-file',
    'daemon/preview/report',
    'daemon/restore/report',
    'daemon/verify/report',
    'daemon/rehearse/report',
    'daemon/new-share-types',
    'daemon/sd-notify',
    'doctor/finding',
    'hooks/program',
    'supervisor/client',
    'supervisor/defaults',
    'supervisor/log-lines',
    'supervisor/place',
    'supervisor/report',
  ],
}
/** What may be imported by `await import()` alone, so that a command that asks a daemon loads none. */
const LAZY: Readonly<Record<string, readonly string[]>> = {
  // What it asks of the network while no daemon runs.
  doctor: ['nat/mapper', 'swarm/public-dht', 'swarm/dht-probe'],
  cli: [
    ...['daemon/service', 'daemon/new-share', 'daemon/preview/preview', 'swarm/dht-node', 'relay/service'],
    ...['daemon/restore/restore', 'daemon/restore/browse', 'daemon/way-out'],
    ...[
      'daemon/verify/verify',
      'daemon/rehearse/rehearse',
      'daemon/added-folders',
      'dashboard/dashboard',
      'dashboard/text',
    ],
    ...['supervisor/supervisor', 'invite/redeem', 'doctor/instance', 'doctor/machine', 'doctor/network'],
  ],
}
/** What may be loaded before it is known which command is run: a package more is milliseconds and megabytes for each. */
const START = { file: 'cli/main.ts', packages: ['commander', 'node:fs'] } as const
/** What a daemon loads only when it is asked for it: it idles for months, and there may be many. */
const LATE = {
  file: 'daemon/service.ts',
  packages: ['@aws-sdk/client-s3', 'hyperdht', 'hyperswarm', 'port-mapper', 'prom-client', 'socks'],
} as const
/** The only file at the top: the public surface. */
const TOP = 'index.ts'

/** Packages that only compute; everything else touches the world. `constants` and types are values too. */
const PURE_PACKAGES: ReadonlySet<string> = new Set(['@napi-rs/blake-hash', '@scure/base', 'sodium-native'])
/** Functions of their arguments alone. */
const PURE_BUILTINS: ReadonlySet<string> = new Set(['node:zlib', 'node:buffer'])
/** In core: clocks, randomness, promises, timers, the process, the log. */
const IMPURE: readonly [RegExp, string][] = [
  [/\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\b|\bhrtime\b/, 'a clock'],
  [/\bMath\.random\b|\brandomBytes\b|\brandomUUID\b|\bgetRandomValues\b|\brandombytes/, 'randomness'],
  [/\basync\b|\bawait\b|\bPromise\b|\bqueueMicrotask\b/, 'a promise'],
  [/\bset(?:Timeout|Interval|Immediate)\b/, 'a timer'],
  [/(?<![.#\w])(?:process\.|console\.|fetch\()/, 'the outside world'],
]

interface Import {
  readonly target: string
  readonly isLazy: boolean
  readonly isType: boolean
}

const root = fileURLToPath(new URL('src/', repository))
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .sort()
const sources = new Map(files.map((name) => [name, withoutComments(readFileSync(join(root, name), 'utf8'))]))

test('every folder of src has its row in the table of arrows', () => {
  const folders = new Set(files.filter((name) => name !== TOP).map(folderOf))
  assert.deepEqual([...folders].sort(), Object.keys(ARROWS).sort())
})

test('arrows point inward: shells import core, ports and their own folder; only daemon imports several', () => {
  const wrong: string[] = []
  for (const [name, source] of sources)
    for (const { target, isLazy } of importsOf(name, source)) {
      if (!target.startsWith('src/') || name === TOP) continue
      const path = target.slice('src/'.length)
      const folder = folderOf(name)
      const allowed = [`${folder}/`, ...ARROWS[folder]!, ...(isLazy ? (LAZY[folder] ?? []) : [])]
      if (!allowed.some((start) => path.startsWith(start))) wrong.push(`${name} -> ${path}`)
    }
  assert.deepEqual(wrong, [])
})

test('no cycles', () => {
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (name: string, trail: readonly string[]): void => {
    const at = trail.indexOf(name)
    if (at >= 0) cycles.push([...trail.slice(at), name].join(' -> '))
    if (at >= 0 || done.has(name)) return
    for (const { target, isType } of importsOf(name, sources.get(name) ?? ''))
      if (target.startsWith('src/') && !isType) visit(target.slice('src/'.length), [...trail, name])
    done.add(name)
  }
  for (const name of files) visit(name, [])
  assert.deepEqual(cycles, [])
})

test('a command starts with no package that it may not need', () => {
  assert.deepEqual(packagesAtStart(START.file), START.packages)
})

test('a daemon starts without the packages that it may never need', () => {
  const packages = packagesAtStart(LATE.file)
  assert.ok(packages.includes('lmdb'), 'the walk from there is that of a daemon')
  assert.deepEqual(
    LATE.packages.filter((name) => packages.includes(name)),
    [],
  )
})

test('core is pure: no I/O, clock, randomness, promises or logging', () => {
  const wrong: string[] = []
  for (const [name, source] of sources) {
    if (folderOf(name) !== 'core') continue
    for (const { target, isType } of importsOf(name, source))
      if (!target.startsWith('src/') && !isType && !PURE_PACKAGES.has(target) && !PURE_BUILTINS.has(target))
        wrong.push(`${name} imports ${target}`)
    const code = withoutTexts(source)
    for (const [pattern, what] of IMPURE) if (pattern.test(code)) wrong.push(`${name} uses ${what}`)
  }
  assert.deepEqual(wrong, [])
})

test('of the dashboard, what is shown is pure, and only what draws it loads ink', () => {
  const wrong: string[] = []
  for (const [name, source] of sources)
    for (const { target, isType } of importsOf(name, source)) {
      const isModel = name.startsWith('dashboard/model/') || name.startsWith('dashboard/screens/')
      if (isModel && !isType && (target.startsWith('node:') || target.startsWith('src/control/')))
        wrong.push(`${name} imports ${target}`)
      const draws = name.startsWith('dashboard/view/') || name === 'dashboard/dashboard.ts'
      if (!draws && (target === 'ink' || target === 'react')) wrong.push(`${name} imports ${target}`)
    }
  assert.deepEqual(wrong, [])
})

test('no file imports its own folder by an index, and every import names its file', () => {
  const wrong = [...sources].flatMap(([name, source]) =>
    importsOf(name, source)
      .filter(({ target }) => target.startsWith('src/') && !sources.has(target.slice('src/'.length)))
      .map(({ target }) => `${name} -> ${target}`),
  )
  assert.deepEqual(wrong, [])
})

test('the program names its own files in one place, as its modules are bundled', () => {
  const named = [...sources].filter(([, source]) =>
    // From where a package is looked for does not matter.
    source.replaceAll('createRequire(import.meta.url)', '').includes('import.meta'),
  )
  assert.deepEqual(
    named.map(([name]) => name),
    // The version stands above every module; when the program was made, whichever file says; and the loader has its bundle beside it.
    ['cli/load.ts', 'doctor/machine.ts', 'ports/package-version.ts', 'ports/program.ts'],
  )
})

test('the package declares what src imports, and imports what it declares', () => {
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', repository), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const imported = new Set<string>()
  for (const [name, source] of sources)
    for (const { target } of importsOf(name, source))
      if (!target.startsWith('src/') && !target.startsWith('node:'))
        imported.add(
          target
            .split('/')
            .slice(0, target.startsWith('@') ? 2 : 1)
            .join('/'),
        )
  // bogon, below hyperdht, needs b4a and does not declare it (docs/decisions/0001-dependencies.md).
  imported.add('b4a')
  assert.deepEqual([...imported].sort(), Object.keys(dependencies).sort())
})

/** Packages that are loaded with a file: what is imported lazily or as a type is not. */
function packagesAtStart(file: string): string[] {
  const reached = new Set<string>()
  const visit = (name: string): void => {
    if (reached.has(name)) return
    reached.add(name)
    for (const { target, isLazy, isType } of importsOf(name, sources.get(name) ?? ''))
      if (!isLazy && !isType) visit(target.startsWith('src/') ? target.slice('src/'.length) : target)
  }
  visit(file)
  return [...reached].filter((name) => !sources.has(name)).sort()
}

/** "folder" of "folder/below/file.ts". */
function folderOf(name: string): string {
  return name.split('/')[0]!
}

function importsOf(name: string, source: string): Import[] {
  const found: Import[] = []
  const add = (target: string, isLazy: boolean, isType: boolean): void => {
    const isOurs = target.startsWith('.')
    const path = isOurs ? `src/${normalize(join(dirname(name), target))}`.replace(/\.js$/, '.ts') : target
    found.push({ target: path, isLazy, isType })
  }
  for (const [, type, target] of source.matchAll(
    /^(?:import|export)\s+(type\s)?(?:[^'"]*?\sfrom\s+)?'([^']+)'/gm,
  ))
    add(target!, false, type !== undefined)
  for (const [, target] of source.matchAll(/\bimport\('([^']+)'\)/g)) add(target!, true, false)
  // A worker is loaded by its file: the same arrow.
  for (const [, target] of source.matchAll(/\bprogramFile\('([^']+)'\)/g))
    found.push({ target: `src/${target!.replace(/\.js$/, '.ts')}`, isLazy: true, isType: true })
  return found
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
}

function withoutTexts(source: string): string {
  return source.replace(/'(?:[^'\\\n]|\\.)*'/g, "''")
}
