// Daemons that have no way to each other but a relay: no known hosts, no search on the network, no DHT.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { formatRelayPass } from '../../src/core/relay-pass.js'
import { deriveSecret, formatSecret, keysOf, writeSecretOf } from '../../src/core/secret.js'
import {
  converged,
  eventually,
  freePort,
  type NodeOptions,
  type World,
  withWorld,
} from '../support/daemons.js'

/** Resolves once it listens. */
async function startRelay(world: World, args: readonly string[]): Promise<ChildProcess> {
  const relay = world.spawn(['relay', ...args, '--log-level', 'warn'])
  await once(relay.stdout!, 'data')
  return relay
}

async function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
  const exit = once(child, 'exit')
  child.kill(signal)
  return (await exit)[0] as number | null
}

test('daemons that cannot reach each other sync through a relay, also after it was killed; a stranger is not let in', async () => {
  await withWorld({}, async (world) => {
    const [port, metrics] = [await freePort(), await freePort()]
    const allow = path.join(world.root, 'passes')
    const secretFile = path.join(world.root, 'blind')
    fs.writeFileSync(secretFile, formatSecret(deriveSecret(world.secret, 'blind')), { mode: 0o600 })
    const printed = await world.run(['secret', 'relay-pass', secretFile])
    assert.equal(printed.out, `${formatRelayPass(keysOf(world.secret).relay.pass)}\n`)
    fs.writeFileSync(allow, `# who we forward for\n${printed.out}`)
    const args = ['--listen', `127.0.0.1:${port}`, '--allow', allow, '--metrics', `127.0.0.1:${metrics}`]
    const relay = await startRelay(world, args)
    const alone: NodeOptions = { knows: [], config: { relays: [`127.0.0.1:${port}`] } }
    const [a, b] = await world.start(['a', 'b'], alone)
    assert.ok(a && b)
    a.write('hello.txt', 'by a relay')
    b.write('big', Buffer.alloc(3_000_000, 'content'))
    await eventually('they are connected', async () => {
      const { members } = await a.share()
      return members.map(({ transport }) => transport).join() === 'relayed'
    })
    await converged([a, b])
    assert.equal(b.read('hello.txt'), 'by a relay')
    assert.equal(fs.statSync(a.at('big')).size, 3_000_000)

    const status = await world.run(['status', a.configFile])
    assert.match(status.out, new RegExp(`^relay 127\\.0\\.0\\.1:${port}: connected$`, 'm'))
    assert.match(status.out, new RegExp(`relayed 127\\.0\\.0\\.1:${port}`))
    const page = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text()
    assert.match(page, /^shoal_relay_pairs 1$/m)
    const forwarded = Number(/^shoal_relay_forwarded_bytes_total (\d+)$/m.exec(page)?.[1])
    assert.ok(forwarded > 3_000_000, `${forwarded} bytes were forwarded`)

    // A share whose pass nobody gave to the relay.
    const secret = formatSecret(writeSecretOf(Buffer.alloc(32, 9)))
    const stranger = await world.node('stranger', { ...alone, share: { secret } })
    await stranger.start()
    const problem = await eventually(
      'it is told so',
      async () => (await stranger.status()).relays?.[0]?.problem,
    )
    assert.equal(problem, '1 of 1 shares: not-allowed')
    // One that forbids it: it asks no relay, and nobody finds it.
    const shy = await world.node('shy', { ...alone, share: { use_relay_server: false } })
    await shy.start()

    await end(relay, 'SIGKILL')
    a.write('later.txt', 'written while no relay was there')
    await eventually('the loss is seen', async () => (await a.status()).relays?.[0]?.connected === false)
    const said = await eventually('why it is not there is said in words', async () => {
      const { out } = await world.run(['status', a.configFile])
      return out.split('\n').find((line) => line.startsWith('relay ') && line.includes('listens'))
    })
    assert.match(
      said,
      /: not connected, nobody listens there \(ECONNREFUSED\); is a relay running there, on that port/,
    )
    const again = await startRelay(world, args)
    await converged([a, b])
    assert.equal(b.read('later.txt'), 'written while no relay was there')
    const members = (await a.share()).members.filter(({ connected }) => connected)
    assert.deepEqual(
      members.map(({ name }) => name),
      ['b'],
    )
    assert.deepEqual((await shy.share()).members, [])
    assert.deepEqual((await stranger.share()).members, [])
    assert.equal(await end(again, 'SIGTERM'), 0)
  })
})

test('a relay is not started without a word on whom it is for', async () => {
  await withWorld({}, async (world) => {
    const listen = ['relay', '--listen', '127.0.0.1:0']
    const silent = await world.run(listen)
    assert.deepEqual([silent.exit, silent.out], [64, ''])
    assert.match(silent.err, /whom to forward for is not said: give --allow FILE .*, or --open/)
    const both = await world.run([...listen, '--open', '--allow', '/nowhere'])
    assert.equal(both.exit, 64)
    const missing = await world.run([...listen, '--allow', '/nowhere/passes'])
    assert.deepEqual([missing.exit, missing.out], [66, ''])
    const wrong = path.join(world.root, 'wrong')
    fs.writeFileSync(wrong, `ok?\n  ${formatSecret(world.secret)}\n`)
    const faulty = await world.run([...listen, '--allow', wrong])
    assert.equal(faulty.exit, 78)
    assert.match(faulty.err, /wrong:1:1: .*\n.*wrong:2:3: this is a secret, not a relay pass/)
    assert.ok(!faulty.err.includes(formatSecret(world.secret).slice(10, 30)))
  })
})
