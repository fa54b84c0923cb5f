// --proxy and --relay of commands that have no configuration: what they mean, what is refused, and that no refusal holds what
// may be a password.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { proxyOfOptions, withReasons } from '../../src/cli/proxy-option.js'
import { ShoalError } from '../../src/core/error.js'
import { shoal } from './transcript.js'

const PASSWORD = 'not-for-any-screen-7713'

describe('--proxy', () => {
  let home: string
  let file: string

  before(() => {
    home = mkdtempSync(path.join(tmpdir(), 'shoal-ways-'))
    file = path.join(home, 'password')
    writeFileSync(file, `${PASSWORD}\n`, { mode: 0o600 })
  })
  after(() => rmSync(home, { recursive: true, force: true }))

  it('is what proxy_* would say', async () => {
    const place = { host: 'proxy.example', port: 1080, allowsDirect: false }
    for (const [text, type] of [
      ['socks5://proxy.example:1080', 'socks5'],
      ['SOCKS5H://proxy.example:1080/', 'socks5'],
      ['socks4a://proxy.example:1080', 'socks4'],
      ['http://proxy.example:1080', 'http_connect'],
      ['http_connect://proxy.example:1080', 'http_connect'],
    ])
      assert.deepEqual(await proxyOfOptions({ proxy: text! }), { type, ...place })
    assert.equal((await proxyOfOptions({ proxy: 'socks5://[fd00::1]:1' }))?.host, 'fd00::1')
    assert.deepEqual(
      await proxyOfOptions({ proxy: 'socks5://a%40b@proxy.example:1080', proxyPasswordFile: file }),
      { type: 'socks5', ...place, username: 'a@b', password: PASSWORD },
    )
    const direct = { proxy: 'socks5://p:1', proxyAllowDirect: true, bootstrap: ['192.0.2.1:1'] }
    assert.equal((await proxyOfOptions(direct))?.allowsDirect, true)
    assert.equal(await proxyOfOptions({ bootstrap: ['192.0.2.1:1'] }), undefined)
  })

  it('is refused where it is none, has a password in it, or the DHT would go past it', async () => {
    const cases: [Parameters<typeof proxyOfOptions>[0], RegExp][] = [
      [{ proxy: 'proxy.example:1080' }, /expected TYPE:\/\/HOST:PORT/],
      [{ proxy: 'socks6://proxy.example:1080' }, /expected TYPE/],
      [{ proxy: 'socks5://proxy.example' }, /expected TYPE/],
      [{ proxy: 'socks5://proxy.example:0' }, /expected TYPE/],
      [{ proxy: 'socks5://%zz@proxy.example:1' }, /expected TYPE/],
      [{ proxy: `socks5://alice:${PASSWORD}@proxy.example:1` }, /has a password in it/],
      [{ proxy: 'socks5://proxy.example:1', proxyPasswordFile: file }, /needs a name/],
      [{ proxy: 'http://a%3Ab@proxy.example:1' }, /proxy_username has a colon/],
      [{ proxy: 'http://p:1', bootstrap: ['192.0.2.1:1'] }, /leave out --bootstrap/],
      [{ proxyPasswordFile: file }, /are for --proxy/],
      [{ proxyAllowDirect: true }, /are for --proxy/],
    ]
    for (const [options, expected] of cases)
      await assert.rejects(proxyOfOptions(options), (thrown: ShoalError) => {
        assert.equal(thrown.code, 'USAGE')
        assert.match(thrown.message, expected)
        return !thrown.message.includes(PASSWORD)
      })
  })

  it('what is refused on the command line is not shown again', async () => {
    const argv = ['join', path.join(home, 'dir'), '--proxy', `socks5://alice:${PASSWORD}@p:1`]
    const { exit, out, err } = await shoal(argv, { stdin: 'nothing' })
    assert.equal(exit, 64)
    assert.match(err, /has a password in it.*--proxy-password-file/)
    assert.ok(!(out + err).includes(PASSWORD))
  })

  it('is of no use for a vault, and a relay neither', async () => {
    for (const option of [
      ['--proxy', 'socks5://p:1'],
      ['--relay', 'relay.example:22020'],
    ]) {
      const { exit, err } = await shoal(
        ['restore', '--from', home, '--to', path.join(home, 'x'), ...option],
        {
          stdin: 'nothing',
        },
      )
      assert.equal(exit, 64)
      assert.match(err, /--proxy and --relay are for --from swarm/)
    }
  })
})

it('a failure names what else is known', () => {
  const failure = new ShoalError('INVITE_FAILED', 'not found')
  assert.equal(withReasons(failure, [undefined]), failure)
  const explained = withReasons(failure, [undefined, 'the proxy is down']) as ShoalError
  assert.deepEqual([explained.code, explained.message], ['INVITE_FAILED', 'not found; the proxy is down'])
  const other = new Error('a bug')
  assert.equal(withReasons(other, ['x']), other)
})
