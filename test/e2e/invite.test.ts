// An invite from end to end: made by the command line on a running daemon, redeemed over the network, and the new node
// syncs with what it got. What the daemons keep and log is searched for what must not be there.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import type { NewInviteReport } from '../../src/control/schema.js'
import { parseInvite } from '../../src/core/invite.js'
import { deriveSecret, formatSecret } from '../../src/core/secret.js'
import { redeemInvite } from '../../src/invite/redeem.js'
import { guessAt, tryOnce } from '../invite/support.js'
import { converged, eventually, type TestNode, type World, withWorld } from '../support/daemons.js'

/** Runs `shoal invite`; fails the test unless it succeeds. */
async function invite(world: World, ...args: readonly string[]): Promise<{ out: string; err: string }> {
  const { exit, out, err } = await world.run(['invite', ...args])
  assert.equal(exit, 0, err)
  return { out, err }
}

function redeem(text: string, node: TestNode): ReturnType<typeof redeemInvite> {
  return redeemInvite(text, { knownHosts: [`127.0.0.1:${node.port}`], searchLan: false })
}

/** Everything that lies in a node's storage, and what it logged. */
function kept(node: TestNode): string {
  const files = fs
    .readdirSync(node.storage, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(node.storage, name))
    .filter((file) => fs.statSync(file).isFile())
  return [...files.map((file) => fs.readFileSync(file, 'latin1')), ...node.log].join('\n')
}

test('an invite by telephone: the reader that got it has the files, and nobody else can use it', async () => {
  await withWorld({}, async (world) => {
    const [a] = (await world.start(['a'])) as [TestNode]
    a.write('photo', 'a picture')
    const { out, err } = await invite(world, a.configFile, '--grade', 'read', '--expires', '1h')
    assert.match(out, /^p[0-9a-z]{4}(-[0-9a-z]{5}){5}\n$/)
    const text = out.trim()
    assert.match(err, new RegExp(`follow ${a.dir};\\n.*works once, until .*\\(invite [0-9a-f]{8}\\)`))
    assert.match(err, new RegExp(`port ${a.port}\\. A relay does not`))

    const redeemed = await redeem(text, a)
    assert.deepEqual(redeemed, {
      secret: formatSecret(deriveSecret(world.secret, 'read')),
      grade: 'read',
      name: 'share',
      deviceName: 'a',
      knownHost: `127.0.0.1:${a.port}`,
    })
    const b = await world.node('b', {
      share: { secret: redeemed.secret, known_hosts: [redeemed.knownHost!] },
    })
    await b.start()
    await converged([a, b])
    assert.equal(b.read('photo'), 'a picture')
    assert.equal((await b.share()).grade, 'read')

    await assert.rejects(redeem(text, a), { code: 'INVITE_FAILED' })
    assert.match((await invite(world, a.configFile, '--list')).out, /read +used .* from 127\.0\.0\.1:\d+ /)

    // Neither the code nor a secret is kept or logged. (The configuration with the secret is beside the storage.)
    const { bytes } = parseInvite(text)
    const everything = kept(a) + kept(b)
    const secret = deriveSecret(world.secret, 'read')
    for (const needle of [
      ...[text, text.replaceAll('-', ''), bytes.toString('hex'), bytes.toString('latin1')],
      ...[redeemed.secret.slice(8, 40), secret.key.toString('hex'), secret.key.toString('latin1')],
    ])
      assert.ok(!everything.includes(needle))
  })
})

test('open invites outlive kill -9, wrong tries are counted through it, and the tenth is a problem in status', async () => {
  await withWorld({}, async (world) => {
    const [a] = (await world.start(['a'])) as [TestNode]
    const made = JSON.parse(
      (await invite(world, a.configFile, a.dir, '--grade', 'write', '--json')).out,
    ) as NewInviteReport
    assert.deepEqual([made.state, made.grade, made.dir, made.port], ['open', 'write', a.dir, a.port])
    const guess = (): Promise<unknown> => tryOnce(guessAt(made.invite, { sameName: true }), a.port)
    for (let i = 0; i < 6; i++) await guess()
    await a.kill()
    await a.start()
    const [open] = await a.client.invites()
    assert.deepEqual([open?.id, open?.state, open?.wrongTries], [made.id, 'open', 6])
    assert.deepEqual((await a.share()).problems, [])
    for (let i = 0; i < 4; i++) await guess()
    const { problems } = await a.share()
    assert.equal(problems[0]?.code, 'INVITE_ENDED')
    assert.match(
      problems[0]!.detail,
      /ended after 10 wrong tries; forget it with: shoal invite CONFIG --revoke/,
    )
    await a.logged(/"level":"error".*an invite is ended: too many wrong tries/)
    assert.deepEqual(await tryOnce(made.invite, a.port), { type: 'refused' })

    await invite(world, a.configFile, '--revoke', made.id)
    assert.deepEqual((await a.share()).problems, [])
    const again = await world.run(['invite', a.configFile, '--revoke', made.id])
    assert.equal(again.exit, 66)
    const none = await world.run(['invite', a.configFile, '--revoke', made.invite])
    assert.equal(none.exit, 64)
    assert.ok(!none.err.includes(made.invite))
  })
})

test('an invite expires while nobody asks, and one of a copied storage is over', async () => {
  await withWorld({}, async (world) => {
    const [a] = (await world.start(['a'])) as [TestNode]
    await a.client.invite({ share: 0, grade: 'read', lifeMs: 1_000 })
    await a.logged(/an invite has expired/)
    await eventually(
      'it is no longer kept',
      () => fs.readFileSync(path.join(a.storage, 'invites.json'), 'utf8') === '{"format":1,"invites":[]}\n',
    )

    const { invite: text } = await a.client.invite({ share: 0, grade: 'read', lifeMs: 3_600_000 })
    await a.stop()
    // As from a backup: other inodes.
    const copy = `${a.storage}.copy`
    fs.cpSync(a.storage, copy, { recursive: true })
    // Which Node 24 no longer copies.
    fs.chmodSync(copy, 0o700)
    fs.rmSync(a.storage, { recursive: true })
    fs.renameSync(copy, a.storage)
    await a.start()
    assert.deepEqual(await a.client.invites(), [])
    assert.deepEqual(await tryOnce(text, a.port), { type: 'refused' })
    await eventually('the log says so', () => a.log.some((line) => line.includes('an invite is over')))
  })
})
