// `shoal share` and `shoal join`: what they write, what they refuse, and that a refusal leaves nothing behind.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { loadSecrets, readConfig } from '../../src/config/secrets.js'
import { deriveSecret, formatSecret, keysOf, parseSecret, writeSecretOf } from '../../src/core/secret.js'
import { findMarker } from '../../src/folder/marker.js'
import { account, needsUser } from '../support/privileges.js'
import { shoal, type Transcript } from './transcript.js'

const write = writeSecretOf(Buffer.alloc(32, 3))
const W = formatSecret(write)
const R = formatSecret(deriveSecret(write, 'read'))
const B = formatSecret(deriveSecret(write, 'blind'))

let folder: string
let dir: string
beforeEach(() => {
  folder = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'shoal-share-')))
  dir = join(folder, 'My Photos')
  fs.mkdirSync(dir)
})
afterEach(() => fs.rmSync(folder, { recursive: true }))

/** Explicit places: as root the usual ones are the system's. */
function places(name = 'it'): string[] {
  return ['--config', join(folder, 'conf', `${name}.conf`), '--storage', join(folder, 'state', name)]
}

function configText(name = 'it'): string {
  return fs.readFileSync(join(folder, 'conf', `${name}.conf`), 'utf8')
}

function idOf(text: string): string {
  return keysOf(parseSecret(text)).shareId
}

function markerOf(of: string): string | undefined {
  const found = findMarker(of)
  return found.type === 'present' ? found.shareId : undefined
}

/** All files and folders below the scratch folder. */
function all(): string[] {
  return fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
}

describe('shoal share', () => {
  it('writes a configuration, the storage and the marker, and prints the secrets', async () => {
    const { exit, out, err } = await shoal(['share', dir, ...places(), '--port', '4444'])
    assert.deepEqual([exit, err], [0, ''])
    const file = join(folder, 'conf', 'it.conf')
    assert.equal(fs.statSync(file).mode & 0o777, 0o600)
    assert.equal(fs.statSync(join(folder, 'state', 'it')).mode & 0o777, 0o700)
    assert.deepEqual(fs.readdirSync(join(folder, 'conf')), ['it.conf'])
    const read = await readConfig(file)
    const { config } = await loadSecrets(read.config)
    assert.deepEqual(read.warnings, [])
    assert.deepEqual([config.listeningPort, config.shares[0]?.dir], [4444, dir])
    const [w, r, b] = out.match(/shoal[wrb]1[a-z0-9]+/g)!
    assert.equal(formatSecret(config.shares[0]!.secret), w)
    assert.deepEqual(
      [r, b],
      [deriveSecret(parseSecret(w!), 'read'), deriveSecret(parseSecret(w!), 'blind')].map(formatSecret),
    )
    assert.equal(markerOf(dir), idOf(w!))
    assert.ok(out.includes(`shoal run ${file}\n`))
    assert.ok(out.includes(`shoal up ${dirname(file)}\n`))
    assert.match(out, /write secret, for your own devices/)
  })

  it('prints JSON', async () => {
    const { out } = await shoal(['share', dir, ...places(), '--json'])
    const {
      write: text,
      read,
      blind,
      name,
      config,
      storage,
      dir: shared,
      next,
    } = JSON.parse(out) as Record<string, string>
    assert.deepEqual([name, shared], ['my-photos', dir])
    assert.deepEqual([config, storage], [join(folder, 'conf', 'it.conf'), join(folder, 'state', 'it')])
    assert.deepEqual(
      [text, read, blind].map((each) => idOf(each!)),
      [idOf(text!), idOf(text!), idOf(text!)],
    )
    assert.equal(next, `shoal run ${config}`)
  })

  it('keeps off the local network when told to', async () => {
    assert.equal((await shoal(['share', dir, ...places(), '--no-search-lan'])).exit, 0)
    assert.match(configText(), /"search_lan": false,/)
  })

  it('takes the folder that a link leads to', async () => {
    fs.symlinkSync(dir, join(folder, 'link'))
    assert.equal((await shoal(['share', join(folder, 'link'), ...places()])).exit, 0)
    assert.ok(configText().includes(JSON.stringify(dir)))
  })

  const refusals: {
    name: string
    prepare?: () => unknown
    args?: () => string[]
    exit: number
    err: RegExp
  }[] = [
    {
      name: 'no folder',
      args: () => [join(folder, 'none'), ...places()],
      exit: 74,
      err: /^there is no folder /,
    },
    {
      name: 'a file',
      prepare: () => fs.writeFileSync(join(folder, 'file'), ''),
      args: () => [join(folder, 'file'), ...places()],
      exit: 74,
      err: /is no folder/,
    },
    {
      name: 'a share',
      prepare: () => shoal(['share', dir, ...places('first')]),
      exit: 74,
      err: /My Photos is a share already\n$/,
    },
    {
      name: 'a folder in a share',
      prepare: async () => {
        await shoal(['share', dir, ...places('first')])
        fs.mkdirSync(join(dir, 'a/b'), { recursive: true })
      },
      args: () => [join(dir, 'a/b'), ...places()],
      exit: 74,
      err: /lies in a share, .*My Photos\n$/,
    },
    {
      name: 'a folder with a share deep in it',
      prepare: async () => {
        fs.mkdirSync(join(dir, 'a/b'), { recursive: true })
        await shoal(['share', join(dir, 'a/b'), ...places('first')])
      },
      exit: 74,
      err: /My Photos contains a share, .*a\/b\n$/,
    },
    {
      name: 'a marker that cannot be understood',
      prepare: () => {
        fs.mkdirSync(join(dir, '.shoal'))
        fs.writeFileSync(join(dir, '.shoal/marker.json'), 'x')
      },
      exit: 74,
      err: /is not a marker/,
    },
    {
      name: 'the storage of somebody else',
      prepare: () => {
        fs.mkdirSync(join(folder, 'state/it'), { recursive: true })
        fs.writeFileSync(join(folder, 'state/it/identity.json'), '{}')
      },
      exit: 73,
      err: /is the storage of another configuration/,
    },
    {
      name: 'a storage in the folder',
      args: () => [dir, '--config', join(folder, 'it.conf'), '--storage', join(dir, 'state')],
      exit: 78,
      err: /contains storage_path/,
    },
    {
      name: 'a configuration in the folder',
      args: () => [dir, '--config', join(dir, 'it.conf'), '--storage', join(folder, 'state')],
      exit: 78,
      err: /everyone who can read the share gets the secrets in it/,
    },
    {
      name: 'a name with a dot',
      args: () => [dir, ...places(), '--name', 'a.b'],
      exit: 64,
      err: /a name has letters/,
    },
    {
      name: 'a port that is none',
      args: () => [dir, ...places(), '--port', '70000'],
      exit: 64,
      err: /expected 0 to 65535/,
    },
    {
      name: 'a secret',
      args: () => [dir, W, ...places()],
      exit: 64,
      err: /does not belong on the command line/,
    },
  ]
  for (const { name, prepare, args, exit, err } of refusals)
    it(`refuses ${name}, and makes nothing`, async () => {
      await prepare?.()
      const before = all()
      const result = await shoal(['share', ...(args?.() ?? [dir, ...places()])])
      assert.match(result.err, err)
      assert.deepEqual([result.exit, result.out], [exit, ''])
      assert.deepEqual(all(), before)
    })

  it('never writes over a file, not even a link to none', async () => {
    fs.mkdirSync(join(folder, 'conf'))
    fs.symlinkSync('nowhere', join(folder, 'conf', 'it.conf'))
    const { exit, err } = await shoal(['share', dir, ...places()])
    assert.equal(exit, 73)
    assert.match(err, /it\.conf is there already: choose another --name, or another --config\n$/)
    assert.equal(fs.readlinkSync(join(folder, 'conf', 'it.conf')), 'nowhere')
    assert.equal(markerOf(dir), undefined)
  })

  it('removes the configuration again when the marker cannot be made', async () => {
    fs.writeFileSync(join(dir, 'x'), '')
    fs.mkdirSync(join(dir, '.shoal'))
    // A file where the staging area belongs.
    fs.writeFileSync(join(dir, '.shoal/staging'), '')
    const { exit } = await shoal(['share', dir, ...places()])
    assert.equal(exit, 74)
    assert.equal(fs.existsSync(join(folder, 'conf', 'it.conf')), false)
  })
})

describe('shoal share, whose it is', () => {
  it('refuses a storage with rights for others, or a place for it that they can write, and leaves it as it is', async () => {
    const open = join(folder, 'open')
    fs.chmodSync(folder, 0o755)
    fs.mkdirSync(open)
    for (const [mode, storage] of [
      [0o1777, open],
      [0o777, join(open, 'below')],
    ] as const) {
      fs.chmodSync(open, mode)
      const { exit, err } = await shoal([
        'share',
        dir,
        '--config',
        join(folder, 'it.conf'),
        '--storage',
        storage,
      ])
      assert.deepEqual([exit, fs.statSync(open).mode & 0o7777, fs.readdirSync(open)], [77, mode, []], err)
      assert.equal(fs.existsSync(join(folder, 'it.conf')), false)
    }
  })

  it('refuses a file name that names no user', async () => {
    const { exit, err } = await shoal(['share', dir, ...places('it.nosuchuser')])
    assert.equal(exit, 78)
    assert.match(err, /there is no user "nosuchuser"/)
    assert.deepEqual(all(), ['My Photos'])
  })

  it('makes all but the configuration as the user whom its name says', {
    skip: needsUser('www-data'),
  }, async () => {
    const { uid, gid } = account('www-data')!
    fs.chmodSync(folder, 0o755)
    fs.chownSync(dir, uid, gid)
    const file = join(folder, 'conf', 'it.www-data.conf')
    const storage = join(folder, 'state', 'it')
    const { exit, out, err } = await shoal(['share', dir, '--config', file, '--storage', storage])
    assert.deepEqual([exit, err], [0, ''])
    assert.match(out, /^runs as +www-data$/m)
    for (const each of [storage, join(dir, '.shoal'), join(dir, '.shoal', 'marker.json')]) {
      const stat = fs.lstatSync(each)
      assert.deepEqual([each, stat.uid, stat.gid], [each, uid, gid])
    }
    assert.equal(fs.statSync(file).uid, 0)
    const check = await shoal(['check', file])
    assert.deepEqual([check.exit, check.err], [0, ''], check.out)
    // A folder that is not there is made where only root can.
    const joined = join(folder, 'made')
    fs.writeFileSync(join(folder, 'key'), `${W}\n`, { mode: 0o600 })
    const more = [
      '--config',
      join(folder, 'conf', 'two.www-data.conf'),
      '--storage',
      join(folder, 'state', 'two'),
    ]
    const join2 = await shoal(['join', joined, ...more, '--secret-file', join(folder, 'key')])
    assert.deepEqual([join2.exit, join2.err], [0, ''])
    assert.deepEqual([fs.statSync(joined).uid, markerOf(joined)], [uid, idOf(W)])
  })

  it('follows no link of that user to where only root may write', {
    skip: needsUser('www-data'),
  }, async () => {
    const { uid, gid } = account('www-data')!
    fs.chmodSync(folder, 0o755)
    fs.chownSync(dir, uid, gid)
    const theirs = join(folder, 'theirs')
    fs.mkdirSync(theirs)
    fs.chownSync(theirs, uid, gid)
    const aim = join(folder, 'aim')
    fs.mkdirSync(aim)
    fs.symlinkSync(aim, join(theirs, 'way'))
    const file = join(folder, 'it.www-data.conf')
    const { exit } = await shoal(['share', dir, '--config', file, '--storage', join(theirs, 'way', 'store')])
    assert.notEqual(exit, 0)
    assert.deepEqual(fs.readdirSync(aim), [])
    assert.equal(fs.existsSync(file), false)
  })
})

describe('shoal join', () => {
  const joining = (stdin: string, ...args: string[]): Promise<Transcript> =>
    shoal(['join', dir, ...places(), ...args], { stdin })

  it('takes a secret from standard input, and says what to run', async () => {
    fs.writeFileSync(join(dir, 'file'), '')
    const { exit, out, err } = await joining(
      `${R}\n`,
      '--known-host',
      '10.0.0.1:4444',
      '--known-host',
      '[::1]:1',
    )
    assert.deepEqual([exit, err], [0, ''])
    const { config } = await readConfig(join(folder, 'conf', 'it.conf'))
    assert.deepEqual(config.shares[0]?.knownHosts, ['10.0.0.1:4444', '[::1]:1'])
    assert.ok(configText().includes(R))
    assert.equal(markerOf(dir), idOf(R))
    assert.ok(!out.includes(R.slice(8, 20)))
    assert.match(out, /shoal preview .*it\.conf/)
    assert.match(out, /holds files already/)
  })

  it('takes a secret from a file, of BitTorrent Sync too, and makes the folder', async () => {
    fs.rmdirSync(dir)
    const file = join(folder, 'secret')
    fs.writeFileSync(file, 'AFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN\n')
    const { exit, out } = await joining('', '--secret-file', file, '--json')
    assert.equal(exit, 0)
    const { grade, hadContent, name } = JSON.parse(out) as Record<string, unknown>
    assert.deepEqual([grade, hadContent, name], ['write', false, 'my-photos'])
    assert.equal(markerOf(dir), idOf('AFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN'))
  })

  it('goes on with a folder that has the marker of this very share, and no other', async () => {
    assert.equal((await joining(W)).exit, 0)
    const again = await shoal(['join', dir, ...places('again')], { stdin: R })
    assert.equal(again.exit, 0)
    const other = formatSecret(writeSecretOf(Buffer.alloc(32, 4)))
    const refused = await shoal(['join', dir, ...places('other')], { stdin: other })
    assert.equal(refused.exit, 74)
    assert.match(refused.err, /is another share already/)
  })

  it('looks in the DHT whose nodes it is told', async () => {
    assert.equal((await joining(W, '--bootstrap', '10.0.0.1:1')).exit, 0)
    const { config } = await readConfig(join(folder, 'conf', 'it.conf'))
    assert.deepEqual([config.bootstrap, config.shares[0]?.useDht], [['10.0.0.1:1'], true])
  })

  for (const { name, stdin = '', args = [], exit, err } of [
    { name: 'nothing', exit: 65, err: /this is not a secret/ },
    { name: 'a damaged secret', stdin: `${W.slice(0, -1)}q`, exit: 65, err: /its checksum does not match/ },
    {
      name: 'a secret as an argument',
      args: [W],
      exit: 64,
      err: /command line: other users[\s\S]*history[\s\S]*--secret-file/,
    },
    { name: 'a secret as the name of its file', args: ['--secret-file', R], exit: 64, err: /command line/ },
    { name: 'a host that is none', args: ['--known-host', 'x'], exit: 64, err: /expected HOST:PORT/ },
  ])
    it(`refuses ${name}, and makes nothing`, async () => {
      const before = all()
      const result = await joining(stdin, ...args)
      assert.match(result.err, err)
      assert.deepEqual([result.exit, result.out], [exit, ''])
      for (const secret of [W, R, B]) assert.ok(!result.err.includes(secret.slice(7, 17)))
      assert.deepEqual(all(), before)
    })
})
