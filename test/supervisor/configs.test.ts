import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { findConfigs, printOf } from '../../src/supervisor/configs.js'
import { account, needsUser } from '../support/privileges.js'

let folder = ''
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-configs-'))
})
afterEach(() => fs.rmSync(folder, { recursive: true }))

function write(
  file: string,
  changes: Record<string, unknown> = {},
  share: Record<string, unknown> = {},
): void {
  const id = file.split('.')[0]!
  const secret = formatSecret(writeSecretOf(Buffer.alloc(32, id.charCodeAt(0))))
  const shares = [{ secret, dir: path.join(folder, 'shares', id), ...share }]
  const config = { storage_path: path.join(folder, 'storage', id), shared_folders: shares, ...changes }
  fs.writeFileSync(path.join(folder, file), JSON.stringify(config), { mode: 0o600 })
}

async function faults(
  wants: (name: string) => boolean = () => true,
): Promise<Record<string, string | undefined>> {
  const { wanted } = await findConfigs(folder, wants)
  return Object.fromEntries(wanted.map(({ file, fault }) => [path.basename(file), fault]))
}

test('configs: .conf files and .conf.d folders are found, nothing else', async () => {
  write('mail.nosuchuser.conf')
  write('www.conf')
  fs.mkdirSync(path.join(folder, 'parts.conf.d'))
  fs.writeFileSync(
    path.join(folder, 'parts.conf.d', '1.part'),
    `{"storage_path": "${folder}/storage/parts", "shared_folders": []}`,
  )
  fs.writeFileSync(path.join(folder, 'README'), 'hello')
  fs.writeFileSync(path.join(folder, '.hidden.conf'), '{}')
  fs.writeFileSync(path.join(folder, 'old.conf.dpkg-old'), '{}')
  fs.mkdirSync(path.join(folder, 'folder.conf'))
  const { wanted, others } = await findConfigs(folder, (name) => name !== 'www')
  assert.deepEqual(
    wanted.map(({ file, name, user }) => [path.basename(file), name, user]),
    [
      ['mail.nosuchuser.conf', 'mail', 'nosuchuser'],
      ['parts.conf', 'parts', undefined],
    ],
  )
  // Never as root instead.
  assert.match(wanted[0]!.fault!, /there is no user "nosuchuser"/)
  assert.equal(wanted[1]!.fault, undefined)
  assert.deepEqual(
    others.map(({ name }) => name),
    ['www'],
  )
})

test('configs: a wrong one is told of and the others stand', async () => {
  write('good.conf')
  fs.writeFileSync(path.join(folder, 'bad.conf'), '{"storage_path": ')
  write('www.Web.conf')
  const found = await faults()
  assert.equal(found['good.conf'], undefined)
  assert.match(found['bad.conf']!, /bad\.conf:1:/)
  assert.match(found['www.Web.conf']!, /capital letters/)
})

const COLLISIONS: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>, RegExp])[] = [
  ['storage path', { storage_path: 'STORAGE' }, {}, /b\.conf:1:\d{2,}: storage_path: is also /],
  ['port', { listening_port: 23456 }, {}, /listening_port: is 23456, /],
  ['folder', {}, { dir: 'SHARE' }, /dir: is also /],
  ['folder inside another', {}, { dir: 'SHARE/below' }, /dir: lies in /],
]
for (const [what, changes, share, expected] of COLLISIONS)
  test(`configs: two with one ${what} are both refused, the third is not`, async () => {
    const at = (value: unknown): unknown =>
      typeof value === 'string'
        ? value.replace('STORAGE', `${folder}/storage/a`).replace('SHARE', `${folder}/shares/a`)
        : value
    const placed = (keys: Record<string, unknown>): Record<string, unknown> =>
      Object.fromEntries(Object.entries(keys).map(([key, value]) => [key, at(value)]))
    write('a.conf', 'listening_port' in changes ? changes : {})
    write('b.conf', placed(changes), placed(share))
    write('c.conf')
    const found = await faults()
    assert.match(found['a.conf']!, expected)
    assert.match(found['b.conf']!, expected)
    assert.equal(found['c.conf'], undefined)
    // Nothing collides with what is not to run.
    assert.deepEqual(await faults((name) => name !== 'b'), { 'a.conf': undefined, 'c.conf': undefined })
  })

test("configs: what a user claims does not keep root's from running", {
  skip: needsUser('www-data'),
}, async () => {
  fs.chmodSync(folder, 0o755)
  write('root.conf', { listening_port: 23456 })
  write('mine.www-data.conf', { listening_port: 23456 })
  const file = path.join(folder, 'mine.www-data.conf')
  const { uid, gid } = account('www-data')!
  // As long as both are root's, root is asked which one is meant.
  assert.match((await faults())['root.conf']!, /listening_port: is 23456/)
  fs.chownSync(file, uid, gid)
  const found = await faults()
  assert.equal(found['root.conf'], undefined)
  assert.match(found['mine.www-data.conf']!, /listening_port: is 23456/)
})

test('configs: two files of one name are both refused', async () => {
  write('a.conf')
  write(
    'a.root.conf',
    { storage_path: path.join(folder, 'storage', 'other') },
    { dir: path.join(folder, 'x') },
  )
  const found = await faults()
  assert.match(found['a.conf']!, /an instance called "a"/)
  assert.match(found['a.root.conf']!, /an instance called "a"/)
})

test('configs: the print changes with the file, with a part, and when either is gone', async () => {
  write('a.conf')
  const file = path.join(folder, 'a.conf')
  const prints = new Set([await printOf(file)])
  assert.equal(prints.has(await printOf(file)), true)
  write('a.conf', { device_name: 'another' })
  prints.add(await printOf(file))
  fs.mkdirSync(`${file}.d`)
  fs.writeFileSync(path.join(`${file}.d`, '1.part'), '{}')
  prints.add(await printOf(file))
  fs.rmSync(file)
  prints.add(await printOf(file))
  assert.equal(prints.size, 4)
})
