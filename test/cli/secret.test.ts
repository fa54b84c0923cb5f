import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { deriveSecret, formatSecret, parseSecret, writeSecretOf } from '../../src/core/secret.js'
import { shoal } from './transcript.js'

const write = writeSecretOf(Buffer.alloc(32, 1))
const W = formatSecret(write)
const R = formatSecret(deriveSecret(write, 'read'))
const B = formatSecret(deriveSecret(write, 'blind'))

describe('shoal secret new', () => {
  it('prints the secrets of all three grades, others each time', async () => {
    const first = await shoal(['secret', 'new'])
    const second = await shoal(['secret', 'new'])
    assert.deepEqual([first.exit, first.err], [0, ''])
    assert.match(
      first.out,
      /^write {2}shoalw1[a-z0-9]+\nread {3}shoalr1[a-z0-9]+\nblind {2}shoalb1[a-z0-9]+\n$/,
    )
    assert.notEqual(first.out, second.out)
  })

  it('prints one grade alone on its line, fit for a file', async () => {
    const { exit, out } = await shoal(['secret', 'new', '--grade', 'write'])
    assert.equal(exit, 0)
    assert.match(out, /^shoalw1[a-z0-9]{59}\n$/)
  })

  it('prints all grades as JSON', async () => {
    const { exit, out } = await shoal(['secret', 'new', '--json'])
    const { write, read, blind, ...more } = JSON.parse(out) as Record<'write' | 'read' | 'blind', string>
    assert.deepEqual([exit, more], [0, {}])
    const secret = parseSecret(write)
    assert.equal(formatSecret(deriveSecret(secret, 'read')), read)
    assert.equal(formatSecret(deriveSecret(secret, 'blind')), blind)
  })
})

describe('shoal secret show', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'shoal-secret-'))
    writeFileSync(join(folder, 'key'), `${R}\n`)
  })
  after(() => rmSync(folder, { recursive: true }))

  const transcripts: {
    name: string
    args: string[]
    stdin?: string
    out?: string
    err?: RegExp
    exit?: number
  }[] = [
    { name: 'a write secret', args: [], stdin: `${W}\n`, out: `write  ${W}\nread   ${R}\nblind  ${B}\n` },
    {
      name: 'a read secret as JSON',
      args: ['--json'],
      stdin: R,
      out: `{"grade":"read","read":"${R}","blind":"${B}"}`,
    },
    { name: 'a blind secret', args: ['-'], stdin: `  ${B}  `, out: `blind  ${B}\n` },
    { name: 'one grade', args: ['--grade', 'read'], stdin: W, out: `${R}\n` },
    { name: 'one grade as JSON', args: ['--grade', 'blind', '--json'], stdin: W, out: `{"blind":"${B}"}` },
    {
      name: 'a secret of BitTorrent Sync (K3)',
      args: ['--grade', 'write'],
      stdin: 'AFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN\n',
      out: `${formatSecret(parseSecret('AFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN'))}\n`,
    },
    {
      name: 'a grade above',
      args: ['--grade', 'write'],
      stdin: R,
      exit: 65,
      err: /^a read secret cannot give a write secret\nhint: derive the grade you need/,
    },
    {
      name: 'a damaged secret',
      args: [],
      stdin: `${W.slice(0, -1)}q`,
      exit: 65,
      err: /^a write secret with a wrong character in it: its checksum does not match\nhint: /,
    },
    { name: 'nothing', args: [], exit: 65, err: /^this is not a secret: a text of 0 characters/ },
    { name: 'a long text', args: [], stdin: 'x'.repeat(5000), exit: 65, err: /more than 4096 bytes/ },
    {
      name: 'a missing file',
      args: ['/none'],
      exit: 66,
      err: /^cannot read the secret in \/none: no such file\nhint: /,
    },
    {
      name: 'a secret as argument',
      args: [W],
      exit: 64,
      err: /^a secret does not belong on the command line, where other users can see it/,
    },
    { name: 'a secret as a second argument', args: ['-', W], exit: 64, err: /^too many arguments/ },
    { name: 'a secret as a grade', args: ['--grade', W], exit: 64, err: /'shoalw1\[secret\]' is invalid/ },
    {
      name: 'another grade',
      args: ['--grade', 'admin'],
      exit: 64,
      err: /Allowed choices are write, read, blind/,
    },
  ]
  for (const { name, args, stdin = '', out = '', err = /^$/, exit = 0 } of transcripts)
    it(name, async () => {
      const result = await shoal(['secret', 'show', ...args], { stdin })
      assert.match(result.err, err)
      assert.equal(result.exit, exit)
      if (out.startsWith('{')) assert.equal(JSON.stringify(JSON.parse(result.out)), out)
      else assert.equal(result.out, out)
      assert.ok(!result.err.includes(W.slice(8, 16)))
    })

  it('a file', async () => {
    assert.deepEqual(await shoal(['secret', 'show', join(folder, 'key')]), {
      exit: 0,
      out: `read   ${R}\nblind  ${B}\n`,
      err: '',
    })
  })
})
