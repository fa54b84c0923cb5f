// I3 through kill -9: an inviting device that dies between writing that its invite is used and sending the secret.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { deviceKeysOf } from '../../src/core/device.js'
import { writeSecretOf } from '../../src/core/secret.js'
import { redeemInvite } from '../../src/invite/redeem.js'
import { MemoryFile, startInviter, tryOnce } from './support.js'

const CHILD = fileURLToPath(new URL('./crash-child.js', import.meta.url))

for (const moment of ['before', 'after'] as const)
  test(`I3: killed ${moment} the state is written: ${moment === 'after' ? 'dead' : 'as good as new'}`, async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-invite-'))
    t.after(() => fs.rmSync(folder, { recursive: true }))
    const onDisk = path.join(folder, 'invites.json')
    const child = spawn(process.execPath, [CHILD, onDisk, moment], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.after(() => child.kill('SIGKILL'))
    const exited = once(child, 'exit')
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    const { port, text } = JSON.parse(said.toString()) as { port: number; text: string }
    const redeeming = redeemInvite(text, { knownHosts: [`127.0.0.1:${port}`], searchLan: false })
    await assert.rejects(redeeming, {
      code: 'INVITE_FAILED',
      message: /the connection broke before the secret arrived: try once more/,
    })
    assert.deepEqual(await exited, [null, 'SIGKILL'])

    const file = new MemoryFile()
    file.text = fs.readFileSync(onDisk, 'utf8')
    assert.equal(fs.statSync(onDisk).mode & 0o777, 0o600)
    const again = await startInviter(t, {
      file,
      secret: writeSecretOf(Buffer.alloc(32, 2)),
      device: deviceKeysOf(Buffer.alloc(32, 1)),
    })
    const [record] = again.host.list()
    const outcome = await tryOnce(text, again.port)
    if (moment === 'after') {
      assert.ok(record?.type === 'used' && !record.isConfirmed)
      assert.deepEqual(outcome, { type: 'refused' })
    } else {
      assert.equal(record?.type, 'open')
      assert.equal(outcome.type, 'redeemed')
    }
  })
