// Configurations beside each other on one machine.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { configCollisions, type InstanceConfig, linkedCollisions } from '../../src/config/collisions.js'
import { parseConfig } from '../../src/config/config.js'

let secrets = 0

/** An instance with its shares' folders; relative paths are below /base. */
function instance(name: string, dirs: readonly string[], more: object = {}, base = '/base'): InstanceConfig {
  const text = JSON.stringify({
    storage_path: `store/${name}`,
    ...more,
    shared_folders: dirs.map((dir) => ({ secret: { file: `/keys/${secrets++}` }, dir })),
  })
  const { config, positionOf } = parseConfig(text, `${base}/${name}.conf`)
  return { name, config, positionOf }
}

const said = (configs: readonly InstanceConfig[]): string[] =>
  configCollisions(configs).map(
    ({ first, second, text }) => `${first} ${second} ${text.replace(/:1:\d+:/, '')}`,
  )

describe('configCollisions', () => {
  it('finds nothing where all is apart', () => {
    const port = { listening_port: 1 }
    assert.deepEqual(said([]), [])
    assert.deepEqual(
      said([
        instance('a', ['d/a', 'd/ab'], port),
        instance('b', ['d/abc'], { listening_port: 2 }),
        instance('c', [], { listening_port: 0 }),
        instance('d', [], { listening_port: 0 }),
      ]),
      [],
    )
  })

  const cases: [string, InstanceConfig[], string[]][] = [
    [
      'one name',
      [instance('a', []), { ...instance('b', []), name: 'a' }],
      ['0 1 /base/b.conf is an instance called "a", and so is /base/a.conf; expected a name each'],
    ],
    [
      'one port',
      [
        instance('a', [], { listening_port: 5 }),
        instance('b', []),
        instance('c', [], { listening_port: '5' }),
      ],
      ['0 2 /base/c.conf listening_port: is 5, and so is that of /base/a.conf; expected a port each'],
    ],
    [
      'one storage path',
      [instance('a', [], { storage_path: 's' }), instance('b', [], { storage_path: '/base/x/../s' })],
      [
        '0 1 /base/b.conf storage_path: is also the storage_path of /base/a.conf, expected one for each daemon',
      ],
    ],
    [
      'one pid file',
      [instance('a', [], { pid_file: 'p' }), instance('b', [], { pid_file: 'p' })],
      ['0 1 /base/b.conf pid_file: is also the pid_file of /base/a.conf, expected one for each daemon'],
    ],
    [
      'one folder',
      [instance('a', ['x', 'd']), instance('b', ['d'])],
      [
        '0 1 /base/b.conf shared_folders[0].dir: is also the folder of shared_folders[1] of /base/a.conf, expected one for each daemon',
      ],
    ],
    [
      'a folder in another',
      [instance('a', ['d']), instance('b', ['d/e'])],
      ['0 1 /base/b.conf shared_folders[0].dir: lies in the folder of shared_folders[0] of /base/a.conf'],
    ],
    [
      'a folder around another',
      [instance('a', ['d/e']), instance('b', ['d'])],
      ['0 1 /base/b.conf shared_folders[0].dir: contains the folder of shared_folders[0] of /base/a.conf'],
    ],
    [
      'storage in a folder of an earlier one',
      [instance('a', ['d']), instance('b', [], { storage_path: 'd/s' })],
      ['0 1 /base/b.conf storage_path: lies in the folder of shared_folders[0] of /base/a.conf'],
    ],
    [
      'storage in a folder of a later one',
      [instance('a', [], { storage_path: 'd/s' }), instance('b', ['d'])],
      ['0 1 /base/b.conf shared_folders[0].dir: contains the storage_path of /base/a.conf'],
    ],
    [
      'a pid file in a folder of an earlier one',
      [instance('a', ['d']), instance('b', [], { pid_file: 'd/p' })],
      ['0 1 /base/b.conf pid_file: lies in the folder of shared_folders[0] of /base/a.conf'],
    ],
    [
      'a pid file in a folder of a later one',
      [instance('a', [], { pid_file: 'd/p' }), instance('b', ['d'])],
      ['0 1 /base/b.conf shared_folders[0].dir: contains the pid_file of /base/a.conf'],
    ],
  ]
  for (const [name, configs, expected] of cases)
    it(`finds ${name}`, () => assert.deepEqual(said(configs), expected))

  it('allows one port on two addresses, not on all and one', () => {
    const on = (name: string, host?: string, bind?: string): InstanceConfig => {
      const more = { listening_port: 5, ...(host !== undefined && { listen_host: host }) }
      return { ...instance(name, [], more), ...(bind !== undefined && { bind }) }
    }
    assert.deepEqual(said([on('a', '127.0.0.1'), on('b', '127.0.0.2'), on('c', undefined, '127.0.0.3')]), [])
    assert.equal(said([on('a', '127.0.0.1'), on('b')]).length, 1)
    assert.equal(said([on('a', '127.0.0.1'), on('b', '0.0.0.0')]).length, 1)
    assert.equal(said([on('a', '127.0.0.1'), on('b', undefined, '127.0.0.1')]).length, 1)
  })

  it('names the place in the later file', () => {
    const [found] = configCollisions([instance('a', ['d']), instance('b', ['x', 'd'])])
    assert.match(found!.text, /^\/base\/b\.conf:1:\d{2,}: shared_folders\[1\]\.dir: /)
  })
})

describe('linkedCollisions', () => {
  it('finds what only links make one, and leaves the rest to configCollisions', async () => {
    const base = await mkdtemp(join(tmpdir(), 'shoal-collide-'))
    try {
      await mkdir(join(base, 'real/inner'), { recursive: true })
      await mkdir(join(base, 'store'))
      await symlink(join(base, 'real'), join(base, 'link'))
      await symlink(join(base, 'store'), join(base, 'real/store'))
      const of = (name: string, dirs: string[], more?: object): InstanceConfig =>
        instance(name, dirs, more, base)
      const found = async (...configs: InstanceConfig[]): Promise<string[]> =>
        (await linkedCollisions(configs)).map(({ text }) =>
          text.replaceAll(`${base}/`, '').replace(/:1:\d+:/, ''),
        )
      assert.deepEqual(await found(of('a', ['real']), of('b', ['real/inner'])), [])
      assert.deepEqual(await found(of('a', ['real']), of('b', ['other'])), [])
      assert.deepEqual(await found(of('a', ['real']), of('b', ['link/inner'])), [
        'b.conf shared_folders[0].dir: lies, with links followed, in the folder of shared_folders[0] of a.conf',
      ])
      assert.deepEqual(await found(of('a', ['real/inner']), of('b', ['link'])), [
        'b.conf shared_folders[0].dir: contains, with links followed, the folder of shared_folders[0] of a.conf',
      ])
      assert.equal((await found(of('a', ['real']), of('b', ['link']))).length, 1)
      assert.deepEqual(await found(of('a', [], { storage_path: 'link/s' }), of('b', ['real'])), [
        'b.conf shared_folders[0].dir: contains, with links followed, the storage_path of a.conf',
      ])
      assert.deepEqual(await found(of('a', ['real']), of('b', [], { storage_path: 'link/s' })), [
        'b.conf storage_path: lies, with links followed, in the folder of shared_folders[0] of a.conf',
      ])
      assert.deepEqual(
        await found(of('a', [], { storage_path: 'real' }), of('b', [], { storage_path: 'link' })),
        [
          'b.conf storage_path: is, with links followed, also the storage_path of a.conf, expected one for each daemon',
        ],
      )
    } finally {
      await rm(base, { recursive: true })
    }
  })
})
