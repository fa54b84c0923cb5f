import assert from 'node:assert/strict'
import { test } from 'node:test'
import { interfacesNow } from '../../src/ports/network-interfaces.js'

test('where the system cannot be asked for its addresses, the last answer holds', () => {
  const known = interfacesNow(() => ({ eth0: [] }))
  assert.deepEqual(known, { eth0: [] })
  const refused = (): never => {
    throw new Error('uv_interface_addresses returned Unknown system error 24')
  }
  assert.deepEqual(interfacesNow(refused), { eth0: [] })
})
