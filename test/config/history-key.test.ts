// history: what it reads as, and what every wrong value is told, with its place.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseConfig } from '../../src/config/config.js'
import { ShoalError } from '../../src/core/error.js'
import { DEFAULT_RETENTION, KEEP_ALL, type Retention, retentionFor } from '../../src/core/retention.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { archiveDays } from '../../src/folder/archive-age.js'

const SECRET = formatSecret(writeSecretOf(Buffer.alloc(32, 1)))
const FILE = '/etc/shoal/a.conf'
const DAY = 86_400_000
const GB = 1024 ** 3

function read(history?: unknown): Retention | undefined {
  const share = { secret: SECRET, dir: '/srv/etc', ...(history !== undefined && { history }) }
  const text = JSON.stringify({ storage_path: '/var/s', shared_folders: [share] }, null, 1)
  const { config, warnings } = parseConfig(text, FILE)
  assert.deepEqual(warnings, [])
  return config.shares[0]!.history
}

function refusal(history: unknown): string {
  try {
    read(history)
  } catch (error) {
    assert.ok(error instanceof ShoalError && error.code === 'CONFIG_INVALID', String(error))
    assert.match(error.message, /^\/etc\/shoal\/a\.conf:\d+:\d+: shared_folders\[0\]\.history/)
    return error.message.replace(/^\S+ shared_folders\[0\]\.history\S* /, '')
  }
  assert.fail(`was accepted: ${JSON.stringify(history)}`)
}

const NOTHING: Retention = { keepMs: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, maxBytes: undefined }

describe('history', () => {
  it('reads spans, counts and sizes', () => {
    const all = {
      keep: '30d',
      keep_hourly: 48,
      keep_daily: 30,
      keep_weekly: 26,
      keep_monthly: '24',
      max_size: '500GB',
    }
    const numbers = { hourly: 48, daily: 30, weekly: 26, monthly: 24 }
    assert.deepEqual(read(all), { keepMs: 30 * DAY, ...numbers, maxBytes: 500 * GB })
    assert.deepEqual(read({ keep: '12h' }), { ...NOTHING, keepMs: DAY / 2 })
    assert.deepEqual(read({ keep: '8w', max_size: '2TB' }), {
      ...NOTHING,
      keepMs: 56 * DAY,
      maxBytes: 2048 * GB,
    })
    assert.deepEqual(read({ keep_daily: 3, keep: '1y' }), { ...NOTHING, keepMs: 365 * DAY, daily: 3 })
    assert.deepEqual(read({ keep: 'all' }), KEEP_ALL)
  })

  it('takes what is not stated for nothing, unless nothing is', () => {
    assert.deepEqual(read({ keep_weekly: 2 }), { ...NOTHING, weekly: 2 })
    assert.deepEqual(read({}), DEFAULT_RETENTION)
    assert.deepEqual(read({ max_size: '800MB' }), { ...DEFAULT_RETENTION, maxBytes: 800 * 1024 ** 2 })
    assert.equal(read(), undefined)
    assert.deepEqual(retentionFor(undefined, 'blind'), DEFAULT_RETENTION)
    assert.deepEqual(retentionFor(undefined, 'read'), KEEP_ALL)
    assert.deepEqual(retentionFor(NOTHING, 'write'), NOTHING)
  })

  it('says of each wrong value what it is and what it should be', () => {
    const span = 'expected a span of time such as "12h", "30d", "8w" or "1y", or "all"'
    assert.equal(refusal({ keep: 30 }), `is 30, ${span}`)
    assert.equal(refusal({ keep: '30' }), `is a text of 2 characters, ${span}`)
    assert.equal(refusal({ keep: '5m' }), `is a text of 2 characters, ${span}`)
    assert.equal(refusal({ keep_daily: -1 }), 'is -1, expected a number from 0 to 100000')
    const size = 'expected a size such as "800MB", "500GB" or "4TB"'
    assert.equal(refusal({ max_size: 5 }), `is 5, ${size}`)
    assert.equal(refusal({ max_size: '5kB' }), `is a text of 3 characters, ${size}`)
    assert.match(refusal('30d'), /^is a text of 3 characters, expected an object such as/)
    assert.match(refusal({ keep_yearly: 3 }), /keep_yearly|a key that is none of it/)
  })
})

describe('the days of an archive', () => {
  it('are those of sync_trash_ttl, or fewer if history asks for nothing that old', () => {
    assert.equal(archiveDays(30, KEEP_ALL), 30)
    assert.equal(archiveDays(0, KEEP_ALL), 0)
    assert.equal(archiveDays(30, { ...NOTHING, keepMs: 7 * DAY }), 7)
    assert.equal(archiveDays(0, { ...NOTHING, keepMs: 7 * DAY }), 7)
    assert.equal(archiveDays(30, { ...NOTHING, keepMs: 7 * DAY, monthly: 2 }), 30)
    assert.equal(archiveDays(0, { ...NOTHING, monthly: 2 }), 62)
    assert.equal(archiveDays(30, NOTHING), 1)
  })
})
