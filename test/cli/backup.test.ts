// `shoal backup add`: a new configuration, or one more folder of a daemon that runs; and what becomes of the secret.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { loadSecrets, readConfig } from '../../src/config/secrets.js'
import { deriveSecret, formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { shoal, type Transcript } from './transcript.js'

const write = writeSecretOf(Buffer.alloc(32, 7))
const W = formatSecret(write)
const R = formatSecret(deriveSecret(write, 'read'))
const B = formatSecret(deriveSecret(write, 'blind'))

let folder: string
let file: string
let secretFile: string
beforeEach(() => {
  folder = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'shoal-backup-')))
  file = join(folder, 'conf', 'backup.conf')
  secretFile = join(folder, 'secret')
})
afterEach(() => fs.rmSync(folder, { recursive: true }))

function add(args: readonly string[], stdin = ''): Promise<Transcript> {
  const places = ['--config', file, '--storage', join(folder, 'state')]
  return shoal(['backup', 'add', ...args, '--to', join(folder, 'kept'), ...places], { stdin })
}

function keepSecret(text: string): string[] {
  fs.writeFileSync(secretFile, `${text}\n`, { mode: 0o600 })
  return ['--secret-file', secretFile]
}

const said = ({ out, err }: Transcript): string => out + err

describe('shoal backup add', () => {
  for (const [grade, text] of [
    ['read', R],
    ['blind', B],
  ] as const)
    it(`writes a configuration for a ${grade} secret and says how to start it`, async () => {
      const done = await add([...keepSecret(text), '--known-host', 'office:4444', '--no-search-lan'])
      assert.deepEqual([done.exit, done.err], [0, ''])
      const read = await readConfig(file)
      assert.deepEqual(read.warnings, [])
      const { config } = await loadSecrets(read.config)
      const [share] = config.shares
      assert.equal(formatSecret(share!.secret), text)
      assert.equal(share!.dir, join(folder, 'kept'))
      assert.deepEqual([share!.knownHosts, share!.searchLan], [['office:4444'], false])
      assert.equal(fs.statSync(file).mode & 0o777, 0o600)
      assert.ok(done.out.includes(`shoal run ${file}\n`))
      assert.ok(done.out.includes(grade === 'blind' ? '(blind)' : 'readable'))
      assert.ok(!said(done).includes(text), 'the secret is not shown')
    })

  it('takes the secret from standard input, and prints JSON', async () => {
    const done = await add(['--json'], `${B}\n`)
    const { next, ...rest } = JSON.parse(done.out) as Record<string, unknown>
    assert.deepEqual(rest, {
      grade: 'blind',
      dir: join(folder, 'kept'),
      config: file,
      storage: join(folder, 'state'),
      isAdded: false,
    })
    assert.equal(next, `shoal run ${file}`)
  })

  it('takes it on the command line too, says what that means, and does not repeat it', async () => {
    const done = await add([R])
    assert.equal(done.exit, 0)
    assert.match(done.err, /^note: a secret on the command line is seen by other users/)
    assert.ok(!said(done).includes(R))
  })

  it('refuses a write secret, and what is none, without repeating it', async () => {
    const cases: readonly (readonly [string[], string | undefined, number])[] = [
      [[], W, 65],
      [[], `${B.slice(0, -2)}qq`, 65],
      [[`${R.slice(0, -2)}qq`], undefined, 65],
      [[R, B], undefined, 64],
      [[R], B, 64],
      [['--known-host', `${R}:1`], B, 64],
    ]
    for (const [args, inFile, exit] of cases) {
      const done = await add([...args, ...(inFile === undefined ? [] : keepSecret(inFile))])
      assert.equal(done.exit, exit, done.err)
      assert.doesNotMatch(said(done), /shoal[wrb]1[a-z0-9]{20}/)
      assert.ok(!fs.existsSync(file))
    }
    const misplaced = await shoal(['backup', R])
    assert.equal(misplaced.exit, 64)
    assert.doesNotMatch(said(misplaced), /shoal[wrb]1[a-z0-9]{20}/)
  })

  it('says how to start the daemon of a configuration that is there and does not run', async () => {
    assert.equal((await add(keepSecret(B))).exit, 0)
    const done = await add(keepSecret(R))
    assert.equal(done.exit, 69)
    assert.ok(done.err.includes(`start it with shoal run ${file}, then do this again`))
  })

  it('with --vault a blind node keeps its vault in a bucket', async () => {
    const done = await add([...keepSecret(B), '--vault', 's3://my-backups/office'])
    assert.deepEqual([done.exit, done.err], [0, ''])
    assert.match(done.out, /in +s3:\/\/my-backups\/office, as AWS_/)
    const read = await readConfig(file)
    assert.deepEqual(read.warnings, [])
    const { config } = await loadSecrets(read.config)
    const [share] = config.shares
    assert.deepEqual([share!.vault, share!.dir], ['s3://my-backups/office', join(folder, 'kept')])
  })

  it('a bucket is for a blind secret, has no credentials in it, and is not where --to leads', async () => {
    const cases: readonly (readonly [string[], RegExp])[] = [
      [[...keepSecret(R), '--vault', 's3://my-backups/office'], /--vault is for a blind secret/],
      [['--vault', 's3://KEY:verysecret@my-backups/x'], /holds an "@"/],
      [['--vault', '/srv/vault'], /expected "s3:\/\/BUCKET\/PREFIX"/],
      [['--to', 's3://bucket/x'], /--to is a folder.*the bucket with --vault/],
    ]
    for (const [args, message] of cases) {
      const all = args.includes('--to') ? args : [...args, '--to', join(folder, 'kept')]
      const done = await shoal(['backup', 'add', ...all, '--config', file], { stdin: `${B}\n` })
      assert.equal(done.exit, 64, done.err)
      assert.match(done.err, message)
      assert.ok(!said(done).includes('verysecret'))
      assert.ok(!fs.existsSync(file))
    }
  })
})
