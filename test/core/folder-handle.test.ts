import assert from 'node:assert/strict'
import { test } from 'node:test'
import { folderHandleIn, folderHandleOf, isFolderHandle } from '../../src/core/folder-handle.js'
import { deriveSecret, formatSecret, GRADES, keysOf, writeSecretOf } from '../../src/core/secret.js'
import { redactSecrets } from '../../src/core/secret-redact.js'

const secret = writeSecretOf(Buffer.alloc(32, 7))

test('a share has one handle, whichever of its secrets it is found by', () => {
  const handle = folderHandleOf(keysOf(secret).shareId)
  // Frozen: scripts may have noted it.
  assert.equal(handle, 'SPVLA4LJ2TURP6QKVFO4T3ZZVKXK5A72Z')
  assert.ok(isFolderHandle(handle))
  assert.equal(folderHandleIn(handle), handle)
  for (const grade of GRADES) assert.equal(folderHandleIn(formatSecret(deriveSecret(secret, grade))), handle)
  assert.notEqual(folderHandleOf(keysOf(writeSecretOf(Buffer.alloc(32, 8))).shareId), handle)
})

test('a handle is no secret, and a secret no handle', () => {
  const handle = folderHandleOf(keysOf(secret).shareId)
  assert.equal(redactSecrets(handle), handle)
  for (const grade of GRADES) assert.equal(isFolderHandle(formatSecret(deriveSecret(secret, grade))), false)
  for (const text of ['', 'S', `${handle}A`, handle.toLowerCase(), `A${handle.slice(1, -1)}1`, 'shoalw1qqq'])
    assert.throws(() => folderHandleIn(text), { code: 'SECRET_INVALID' })
})
