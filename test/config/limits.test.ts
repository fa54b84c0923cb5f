import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Config, parseConfig } from '../../src/config/config.js'
import { planReload } from '../../src/config/reload.js'
import type { ShoalError } from '../../src/core/error.js'
import type { Secret } from '../../src/core/secret.js'

function configOf(keys: object): Config<Secret> {
  return parseConfig(JSON.stringify({ storage_path: '/s', ...keys }), '/etc/shoal.conf')
    .config as Config<Secret>
}

function faultOf(limits: unknown): string {
  try {
    configOf({ limits })
  } catch (thrown) {
    return (thrown as ShoalError).message
  }
  return 'nothing'
}

test('limits: rules in kB/s become rules in bytes, with the whole of what is left out', () => {
  const { limits } = configOf({
    limits: [
      { days: 'mon-fri', from: '08:00', to: '18:00', upload: 200 },
      { days: ['sat', 'sun'], from: '22:00', to: '06:00', download: 0 },
      { download: 50 },
    ],
  })
  assert.deepEqual(limits, [
    { days: [1, 2, 3, 4, 5], fromMinute: 480, toMinute: 1080, upload: 204_800 },
    { days: [0, 6], fromMinute: 1320, toMinute: 360, download: 0 },
    { days: [0, 1, 2, 3, 4, 5, 6], fromMinute: 0, toMinute: 1440, download: 51_200 },
  ])
})

test('limits: what is wrong is told with its place and what is expected', () => {
  const cases: [unknown, RegExp][] = [
    [{ upload: 1 }, /limits: is an object, expected a list of \{"days"/],
    [
      [{ days: 'mon-fry', upload: 1 }],
      /limits\[0\]\.days: is none that is known, expected days such as "mon-fri"/,
    ],
    [
      [{ from: '25:00', upload: 1 }],
      /limits\[0\]\.from: is no time, expected a time from "00:00" to "24:00"/,
    ],
    [[{ days: [], upload: 1 }], /limits\[0\]\.days: is none that is known, expected days such as/],
    [[{ from: '08:00' }], /limits\[0\]: has neither "download" nor "upload"/],
    [[{ upload: -1 }], /limits\[0\]\.upload: is -1, expected kB\/s/],
    [[{ upload: 1, until: '10:00' }], /limits\[0\]: has a key that is none of "days"/],
  ]
  for (const [limits, expected] of cases) assert.match(faultOf(limits), expected)
})

test('limits change without a restart', () => {
  const plan = planReload(configOf({}), configOf({ limits: [{ upload: 5 }], upload_limit: 7 }))
  assert.deepEqual(plan.restart, [])
  assert.deepEqual(plan.live.map(({ key }) => key).sort(), ['limits', 'upload_limit'])
})
