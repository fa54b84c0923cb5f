// A daemon's API over TCP as a user sets it up: off, on with a hash and a key in a file, changed while it runs.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { ask, CERTIFICATES } from '../control/web/talk.js'
import { eventually, freePort, withWorld } from '../support/daemons.js'

/** Of "open sesame". */
const HASH = '$5$saltstring$sOFRiuqOzKEQCZAIFmMrCbPuMEMUPOi/BmBpBwWMgW3'
const KEY = 'a-key-of-20-characters'
const BASIC = `Basic ${Buffer.from('ann:open sesame').toString('base64')}`
const SERVED = /the control API is served over TCP/

test('the API over TCP: served to who shows the login or the key, changed while the daemon runs', () =>
  withWorld({}, async (world) => {
    const [port, other] = [await freePort(), await freePort()]
    const listen = `127.0.0.1:${port}`
    const node = await world.node('nas', { config: { webui: { listen } } })
    await node.start()
    assert.match(node.log.join('\n'), /webui\.listen: has no effect: nothing is served/)
    await assert.rejects(ask(port), { code: 'ECONNREFUSED' })

    const file = path.join(path.dirname(node.configFile), 'api.key')
    const change = async (webui: object): Promise<void> => {
      const from = node.log.length
      node.writeConfig({ config: { webui } })
      process.kill(node.pid, 'SIGHUP')
      await node.logged(SERVED, from)
    }
    fs.writeFileSync(file, `${KEY}\n`, { mode: 0o600 })
    await change({ listen, login: 'ann', password_hash: HASH, api_key: { file } })
    assert.equal((await ask(port, { path: '/v1/status' })).status, 401)
    for (const headers of [{ authorization: BASIC }, { authorization: BASIC }, { 'x-api-key': KEY }]) {
      const { status, text } = await ask(port, { path: '/v1/status', headers })
      assert.equal(status, 200, text)
      assert.equal((JSON.parse(text) as { name: string }).name, 'nas')
    }
    const headers = { 'x-api-key': KEY }
    const invite = '{"share":0,"grade":"read","lifeMs":60000}'
    assert.equal(
      (await ask(port, { method: 'POST', path: '/v1/invites', headers, body: invite })).status,
      403,
    )
    const document = JSON.parse((await ask(port, { path: '/openapi.json', headers })).text) as {
      openapi: string
    }
    assert.equal(document.openapi, '3.1.0')

    await eventually(
      'it has looked through its folder',
      async () => (await ask(port, { path: '/ready' })).status === 200,
    )
    for (const path of ['/health', '/ready']) {
      const { status, text } = await ask(port, { path })
      assert.equal(status, 200, text)
      assert.ok(!text.includes(node.dir))
    }
    assert.equal((await ask(port, { path: '/metrics' })).status, 401)
    assert.match((await ask(port, { path: '/metrics', headers })).text, /^shoal_/m)

    // A key that is taken away is no key any more, on no connection.
    const held = connect(port, '127.0.0.1')
    const gone = new Promise((resolve) =>
      held
        .on('error', () => undefined)
        .on('close', resolve)
        .resume(),
    )
    held.write(`GET /v1/status HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${KEY}\r\n\r\n`)
    const { one } = CERTIFICATES
    const [certificate, privateKey] = ['nas.pem', 'nas.key'].map((name) =>
      path.join(path.dirname(file), name),
    )
    fs.writeFileSync(certificate!, one.certificate)
    fs.writeFileSync(privateKey!, one.privateKey, { mode: 0o600 })
    const tls = { ssl_certificate: certificate, ssl_private_key: privateKey, force_https: true }
    await change({ listen: `127.0.0.1:${other}`, login: 'ann', password_hash: HASH, ...tls })
    await gone
    await assert.rejects(ask(port, { headers }), { code: 'ECONNREFUSED' })
    const trusted = { path: '/v1/status', certificate: one.certificate }
    assert.equal((await ask(other, { ...trusted, headers })).status, 401)
    assert.equal((await ask(other, { ...trusted, headers: { authorization: BASIC } })).status, 200)
    await assert.rejects(ask(other, { headers: { authorization: BASIC } }))

    assert.equal(await node.stop(), 0)
    for (const secret of [KEY, HASH, 'open sesame', BASIC.slice(6), one.privateKey.split('\n')[1]!])
      assert.ok(!node.log.join('\n').includes(secret))
  }))
