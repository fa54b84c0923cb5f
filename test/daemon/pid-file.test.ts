import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type PidHost, writePidFile } from '../../src/daemon/pid-file.js'

function withFolder(body: (folder: string) => void): void {
  const folder = fs.mkdtempSync(join(tmpdir(), 'shoal-pid-'))
  try {
    body(folder)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

const host = (running: readonly number[]): PidHost => ({ pid: 77, isDaemon: (pid) => running.includes(pid) })

test('it holds the pid, can be read by everybody, and is gone afterwards', () => {
  withFolder((folder) => {
    const file = join(folder, 'shoal.pid')
    const before = process.umask(0o077)
    try {
      const pidFile = writePidFile(file)
      assert.equal(fs.readFileSync(file, 'utf8'), `${process.pid}\n`)
      assert.equal(fs.statSync(file).mode & 0o777, 0o644)
      assert.deepEqual(fs.readdirSync(folder), ['shoal.pid'])
      pidFile.remove()
      assert.deepEqual(fs.readdirSync(folder), [])
      pidFile.remove()
    } finally {
      process.umask(before)
    }
  })
})

test('one of a process that is gone, or that is no daemon, is replaced; so is an empty one and an own one', () => {
  for (const content of ['4121\n', '77\n', '', '1\n'])
    withFolder((folder) => {
      const file = join(folder, 'shoal.pid')
      fs.writeFileSync(file, content)
      writePidFile(file, host([4122]))
      assert.equal(fs.readFileSync(file, 'utf8'), '77\n')
    })
})

test('one of another daemon that runs is refused and left alone', () => {
  withFolder((folder) => {
    const file = join(folder, 'shoal.pid')
    fs.writeFileSync(file, '4121\n')
    assert.throws(() => writePidFile(file, host([4121])), {
      code: 'PID_FILE_UNUSABLE',
      message: `${file} is that of another daemon that runs (pid 4121)`,
    })
    assert.equal(fs.readFileSync(file, 'utf8'), '4121\n')
  })
})

test('what is no pid file is never overwritten, nor is what a link leads to', () => {
  withFolder((folder) => {
    const precious = join(folder, 'precious')
    for (const content of ['root:x:0:0\n', '0\n', '-1\n', '12x\n', '9'.repeat(40)]) {
      fs.writeFileSync(precious, content)
      assert.throws(() => writePidFile(precious, host([])), { code: 'PID_FILE_UNUSABLE' }, content)
      assert.equal(fs.readFileSync(precious, 'utf8'), content)
    }
    fs.writeFileSync(precious, '4121\n')
    const link = join(folder, 'link')
    fs.symlinkSync(precious, link)
    assert.throws(() => writePidFile(link, host([])), { code: 'PID_FILE_UNUSABLE' })
    assert.throws(() => writePidFile(folder, host([])), { code: 'PID_FILE_UNUSABLE' })
    const beside = join(folder, 'shoal.pid')
    fs.symlinkSync(precious, `${beside}.new`)
    writePidFile(beside, host([]))
    assert.equal(fs.readFileSync(precious, 'utf8'), '4121\n')
    assert.ok(fs.lstatSync(beside).isFile())
  })
})

test('a folder that is not there is an error that names it', () => {
  withFolder((folder) => {
    const file = join(folder, 'none', 'shoal.pid')
    assert.throws(() => writePidFile(file, host([])), {
      code: 'PID_FILE_UNUSABLE',
      message: new RegExp(`^cannot write pid_file ${file}: ENOENT`),
    })
  })
})

test('a pid file that another process has taken over since is left to it', () => {
  withFolder((folder) => {
    const file = join(folder, 'shoal.pid')
    const pidFile = writePidFile(file, host([]))
    fs.writeFileSync(file, '4121\n')
    pidFile.remove()
    assert.equal(fs.readFileSync(file, 'utf8'), '4121\n')
  })
})
