// What is made from the schema: the documentation is up to date, and the JSON schema for editors takes what the daemon
// takes.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parse } from 'jsonc-parser'
import { z } from 'zod'
import { parseConfig } from '../../src/config/config.js'
import { configJsonSchema, keyRows, withKeyTables } from '../../src/config/describe.js'
import { PLACEHOLDERS, sampleConfig } from '../../src/config/sample.js'
import { deriveSecret, formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { repository } from '../support/repository.js'

const W = formatSecret(writeSecretOf(Buffer.alloc(32, 1)))
const B = formatSecret(deriveSecret(writeSecretOf(Buffer.alloc(32, 1)), 'blind'))
const read = (path: string): string => readFileSync(new URL(path, repository), 'utf8')

it('docs/configuration.md has the tables of the schema (npm run docs)', () => {
  const page = read('docs/configuration.md')
  assert.equal(withKeyTables(page), page, 'run: npm run docs')
  for (const { section, key, fate } of keyRows()) {
    const [, table] = page.split(`<!-- keys: ${section} ${fate} -->`)
    assert.ok(table?.split('<!-- end -->')[0]?.includes(`\n| \`${key}\` | `), `${section}.${key}`)
  }
})

it('a table that is out of date is made anew, whatever stands in it', () => {
  const page = 'a\n<!-- keys: webui done -->\n| old |\n<!-- end -->\nb'
  const made = withKeyTables(page)
  assert.match(
    made,
    /^a\n<!-- keys: webui done -->\n\n\| key \| .*\n\| `allow_empty_password` \| flag \| .*\n\n<!-- end -->\nb$/s,
  )
  assert.equal(withKeyTables(made), made)
})

describe('docs/shoal.schema.json', () => {
  const schema = JSON.parse(read('docs/shoal.schema.json')) as Record<string, unknown>
  const accepts = (value: unknown): boolean =>
    z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(value).success

  it('is the schema that files are checked with (npm run docs)', () => {
    assert.deepEqual(schema, JSON.parse(JSON.stringify(configJsonSchema())), 'run: npm run docs')
  })

  it('describes every key', () => {
    const described = (object: unknown): string[] =>
      Object.entries((object as { properties: Record<string, { description?: string }> }).properties).map(
        ([key, { description }]) => {
          assert.ok(description !== undefined && !description.includes('`'), key)
          return key
        },
      )
    const { webui, shared_folders, folder_defaults } = schema.properties as Record<
      string,
      { items?: unknown }
    >
    const folder = shared_folders?.items as { properties: Record<string, unknown> }
    const keys = {
      root: described(schema).filter((key) => !key.includes('.')),
      webui: described(webui),
      folder_defaults: described(folder_defaults),
      shared_folders: described(shared_folders?.items),
      on_change: described((folder.properties.on_change as { items: unknown }).items),
    }
    for (const [section, names] of Object.entries(keys))
      assert.deepEqual(
        names,
        keyRows().flatMap((row) => (row.section === section ? [row.key] : [])),
      )
  })

  it('takes the sample and every example', () => {
    assert.ok(accepts(parse(sampleConfig())))
    for (const folder of ['examples/three-servers/', 'examples/btsync/', 'examples/hooks/'])
      for (const name of readdirSync(new URL(folder, repository)))
        assert.ok(accepts(parse(read(folder + name))), folder + name)
  })

  const HOOKS: [boolean, object][] = [
    [true, { match: 'a/**', run: ['true'] }],
    [
      true,
      {
        match: ['*', '!a'],
        run: ['/bin/sh', '-c', 'x'],
        settle: '500ms',
        retry: { wait: '1s' },
        env: { A: 'b' },
      },
    ],
    [false, { match: 'a', run: 'systemctl reload postfix' }],
    [false, { match: [], run: ['true'] }],
    [false, { match: 'a', run: [] }],
    [false, { match: 'a', run: ['true'], settle: 2 }],
    [false, { match: 'a', run: ['true'], timeout: '30' }],
  ]
  const base = { storage_path: '/s', shared_folders: [{ secret: W, dir: '/d' }] }
  const cases: [boolean, object][] = [
    [
      true,
      {
        ...base,
        listening_port: '4444',
        use_upnp: 1,
        webui: { listen: '127.0.0.1:1', api_key: { file: 'k' } },
      },
    ],
    [true, { ...base, folder_defaults: { known_hosts: 'a:1,b:2' }, 'folder_defaults.use_dht': 'false' }],
    [true, { ...base, shared_folders: [{ secret: { file: 'f' }, dir: 'd', known_hosts: ['a:1'] }] }],
    [true, { ...base, shared_folders: [{ secret: { file: 'f' }, dir: 'd', known_hosts: 'a:1' }] }],
    ...HOOKS.map(([isRight, hook]): [boolean, object] => [
      isRight,
      { ...base, shared_folders: [{ secret: W, dir: '/d', on_change: [hook] }] },
    ]),
    [false, {}],
    [false, { ...base, listening_port: 70_000 }],
    [false, { ...base, sync_trash_ttl: 1.5 }],
    [false, { ...base, dht_node: 'yes' }],
    [false, { ...base, shared_folders: [{ secret: W }] }],
    [false, { ...base, shared_folders: {} }],
  ]
  for (const [isRight, value] of cases)
    it(`${isRight ? 'takes' : 'refuses'} what the daemon does: ${JSON.stringify(value).replace(W, 'W')}`, () => {
      assert.equal(accepts(value), isRight)
      const parsed = (): unknown =>
        parseConfig(JSON.stringify({ bootstrap: ['a:1'], ...value }), '/etc/a.conf')
      if (isRight) parsed()
      else assert.throws(parsed, { code: 'CONFIG_INVALID' })
    })
})

describe('the sample', () => {
  const filled = sampleConfig()
    .replace(PLACEHOLDERS.secret, W)
    .replace(PLACEHOLDERS.dir, '/srv/www')
    .replace(PLACEHOLDERS.storage, '/var/lib/shoal/www')

  it('is right once its placeholders are replaced, and not before', () => {
    const { config, warnings } = parseConfig(filled, '/etc/shoal/www.conf')
    assert.deepEqual(warnings, [])
    assert.equal(config.listeningPort, 44444)
    assert.throws(
      () => parseConfig(sampleConfig(), '/etc/shoal/www.conf'),
      /shared_folders\[0\]\.secret: this is not a/,
    )
  })

  it('has every key that works, each right when its two slashes are removed', () => {
    const lines = filled.split('\n')
    for (const [at, line] of lines.entries()) {
      if (!line.trimStart().startsWith('//,')) continue
      const grade = line.includes('"vault"') ? B : W
      const one = lines.with(at, line.replace('//,', ',')).join('\n').replace(W, grade)
      // What one key alone does not yet do is a note: a relay that is allowed where none is named.
      const { warnings } = parseConfig(one, '/etc/shoal/www.conf')
      assert.deepEqual(
        warnings.filter(({ isNote }) => !isNote),
        [],
        line,
      )
    }
    const all = parse(filled.replaceAll('//,', ',')) as { shared_folders: object[] }
    const keys = [...Object.keys(all), ...Object.keys(all.shared_folders[0]!)]
    for (const { key, section, fate } of keyRows())
      if (fate === 'works' && (section === 'root' || section === 'shared_folders'))
        assert.ok(keys.includes(key), key)
  })

  it('keeps its lines short', () => {
    for (const line of sampleConfig().split('\n')) assert.ok(line.length <= 120, line)
  })
})
