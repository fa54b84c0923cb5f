import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { it } from 'node:test'
import { hookEnvironment, searchPath } from '../../src/hooks/environment.js'
import { programFault } from '../../src/hooks/program.js'

const CALL = { number: 2, dir: '/srv/etc', share: 'abcd', count: 7, word: 'once' }

it('passes on what programs need, and nothing else of the daemon', () => {
  const own = {
    PATH: '/usr/bin:/bin',
    HOME: '/root',
    LC_ALL: 'C',
    TZ: 'UTC',
    NOTIFY_SOCKET: '/run/x',
    CREDENTIALS_DIRECTORY: '/run/y',
    NODE_OPTIONS: '--inspect',
    LD_PRELOAD: 'x.so',
    SHOAL_DEBUG: '1',
    SECRET: 'x',
  }
  assert.deepEqual(hookEnvironment(own, { MODE: 'fast', TZ: 'Europe/Berlin' }, CALL), {
    PATH: '/usr/bin:/bin',
    HOME: '/root',
    LC_ALL: 'C',
    TZ: 'Europe/Berlin',
    MODE: 'fast',
    SHOAL_HOOK: '2',
    SHOAL_DIR: '/srv/etc',
    SHOAL_SHARE: 'abcd',
    SHOAL_COUNT: '7',
    SHOAL_RUN: 'once',
  })
})

it('looks for programs in absolute places alone', () => {
  assert.equal(searchPath({ PATH: ':.:bin:/bin:' }), '/bin')
  assert.match(searchPath({}), /^\/usr\/local\/sbin:/)
  assert.match(searchPath({ PATH: '.' }), /^\/usr\/local\/sbin:/)
})

it('says of a program whether it could be run', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-program-'))
  try {
    fs.writeFileSync(path.join(folder, 'good'), '', { mode: 0o755 })
    fs.writeFileSync(path.join(folder, 'bad'), '', { mode: 0o644 })
    const faultOf = (program: string): Promise<string | undefined> => programFault(program, { PATH: folder })
    assert.equal(await faultOf('good'), undefined)
    assert.equal(await faultOf(path.join(folder, 'good')), undefined)
    assert.equal(await faultOf('bad'), `is not found in ${folder}`)
    assert.equal(await faultOf(path.join(folder, 'none')), 'is not there')
    assert.match((await faultOf(path.join(folder, 'bad'))) ?? '', /cannot be run/)
    assert.equal(await faultOf(folder), 'is no file')
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})
