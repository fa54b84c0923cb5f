// One file, or a folder of parts that are joined as texts: what is read, and which file a problem names.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { parseOpened, readConfig } from '../../src/config/secrets.js'
import { openConfig } from '../../src/config/source.js'
import { ShoalError } from '../../src/core/error.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'

const W = formatSecret(writeSecretOf(Buffer.alloc(32, 1)))

describe('NAME.conf.d', () => {
  let folder: string
  let conf: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shoal-parts-'))
    conf = join(folder, 'www.conf')
    await mkdir(`${conf}.d`)
  })
  afterEach(() => rm(folder, { recursive: true }))
  const put = (name: string, text: string | Buffer, mode = 0o600): Promise<void> =>
    writeFile(join(folder, name), text, { mode })
  const part = (name: string, text: string | Buffer, mode?: number): Promise<void> =>
    put(`www.conf.d/${name}`, text, mode)
  const message = async (): Promise<string> => {
    const error = await readConfig(conf).then(
      () => assert.fail('was accepted'),
      (thrown: unknown) => thrown,
    )
    assert.ok(error instanceof ShoalError, String(error))
    return error.message.replaceAll(`${folder}/`, '')
  }
  const three = async (share: string): Promise<void> => {
    await part('30-end.part', ']}')
    await part(
      '10-host.part',
      '// DAEMON_UID=www-data\n{"device_name": "a",\n "storage_path": "store",\n "shared_folders": [',
    )
    await part('20-www.part', share)
  }

  it('is joined in the order of the names, with the line end a comment lacks', async () => {
    await three(`{"secret": "${W}", "dir": "d"} // the only one`)
    await part('.hidden.part', 'x')
    await part('note.txt', 'x')
    await part('40.part~', 'x')
    const source = await openConfig(conf)
    const { config, warnings } = parseOpened(source)
    assert.deepEqual(warnings, [])
    assert.equal(config.fileName, conf)
    assert.equal(config.storagePath, join(folder, 'store'))
    assert.equal(config.shares[0]?.dir, join(folder, 'd'))
    assert.deepEqual(
      source.files.map(({ path }) => path.slice(conf.length + 3)),
      ['10-host.part', '20-www.part', '30-end.part'],
    )
    assert.ok(source.text.startsWith('// DAEMON_UID=www-data\n'))
    assert.deepEqual(config.shares[0]?.position, {
      line: 1,
      column: 1,
      file: join(folder, 'www.conf.d/20-www.part'),
    })
    // Nothing was written.
    assert.deepEqual(await readdir(folder), ['www.conf.d'])
  })

  it('is found by the name of the folder as well', async () => {
    await three(`{"secret": "${W}", "dir": "d"}`)
    assert.equal((await readConfig(`${conf}.d`)).config.fileName, conf)
    assert.equal((await readConfig(`${conf}.d/`)).config.fileName, conf)
  })

  it('a problem names the part and its own line', async () => {
    await three(`\n{"secret": "${W}", "dir": 5}`)
    assert.match(
      await message(),
      /^www\.conf\.d\/20-www\.part:2:\d+: shared_folders\[0\]\.dir: is 5, expected a path$/,
    )
    await part('20-www.part', '\n\n{"secret": ,}')
    assert.match(await message(), /^www\.conf\.d\/20-www\.part:3:12: expected a value/)
    await part('20-www.part', '{')
    assert.match(await message(), /^www\.conf\.d\/30-end\.part:1:1: /)
  })

  it('problems come in the order of the parts', async () => {
    await part('a.part', '\n\n{"listening_port": -1,')
    await part('B.part', '// capital letters first\n')
    await part('b.part', '"storage_path": 1}')
    assert.deepEqual(
      (await message()).split('\n').map((line) => line.replace(/:.*/, '')),
      ['www.conf.d/a.part', 'www.conf.d/b.part'],
    )
  })

  it('a key twice in two parts names both places', async () => {
    await part('1.part', '{"storage_path": "a",\n')
    await part('2.part', '"storage_path": "b"}')
    assert.equal(
      await message(),
      'www.conf.d/2.part:1:1: storage_path: is given twice, first in line 1; expected once',
    )
  })

  it('an editor mark, an empty part and Windows line ends do no harm', async () => {
    await three(`\ufeff{"secret": "${W}",\r\n "dir": "d"}\r\n`)
    await part('05.part', '')
    assert.equal((await readConfig(conf)).config.shares.length, 1)
  })

  it('beside a NAME.conf that says the same is read, and beside another refused', async () => {
    await three(`{"secret": "${W}", "dir": "d"}`)
    const { text } = await openConfig(conf)
    await put('www.conf', text.replaceAll('\n', '\r\n'))
    assert.equal((await openConfig(conf)).files.length, 3)
    await put('www.conf', text.replace('"a"', '"b"'))
    assert.match(
      await message(),
      /^www\.conf:1:1: stands beside .*www\.conf\.d and differs .*remove this file if/,
    )
  })

  it('without a part, or with one that is a folder, says so', async () => {
    assert.match(
      await message(),
      /cannot read the configuration file www\.conf\.d: it has no files that end in \.part$/,
    )
    await mkdir(join(folder, 'www.conf.d/x.part'))
    assert.match(await message(), /x\.part: it is a folder$/)
  })

  it('a part that is not UTF-8 is named with the place', async () => {
    await three(`{"secret": "${W}", "dir": "d"}`)
    await part('20-www.part', Buffer.concat([Buffer.from('{\n // caf'), Buffer.of(0xe9), Buffer.from('\n')]))
    assert.equal(
      await message(),
      'www.conf.d/20-www.part:2:8: is not UTF-8 text from here on (byte 0xe9), expected UTF-8: iconv converts other encodings',
    )
  })

  it('more than a configuration can be is not read', async () => {
    await part('1.part', ' '.repeat(600_000))
    await part('2.part', ' '.repeat(600_000))
    assert.match(await message(), /www\.conf\.d: its parts are longer than 1048576 bytes together$/)
  })
})

describe('bytes that are not UTF-8', () => {
  const cases: [string, number[], string][] = [
    ['a byte alone', [0x7b, 0x0a, 0x20, 0xff], '2:2'],
    ['a character cut off at the end', [0x7b, 0xe2, 0x82], '1:2'],
    ['one cut off before another', [0x7b, 0xef, 0xbf, 0x20], '1:2'],
    ['after one that is whole', [0xef, 0xbf, 0xbd, 0xc3], '1:2'],
    ['a half of a pair', [0x7b, 0x7d, 0xed, 0xa0, 0x80], '1:3'],
  ]
  for (const [name, bytes, where] of cases)
    it(`${name}: ${where}`, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'shoal-bytes-'))
      try {
        await writeFile(join(folder, 'a.conf'), Buffer.from(bytes))
        await assert.rejects(openConfig(join(folder, 'a.conf')), ({ message }: Error) => {
          assert.ok(message.startsWith(`${folder}/a.conf:${where}: is not UTF-8 text from here on`), message)
          return true
        })
      } finally {
        await rm(folder, { recursive: true })
      }
    })
})
