import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ShoalError } from '../../../src/core/error.js'
import { VaultGate } from '../../../src/daemon/blind/vault-gate.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { silentLog } from '../../../src/ports/log.js'
import { isVaultFull, noRoom } from '../../../src/vault/storage-error.js'
import type { VaultBatch } from '../../../src/vault/stored.js'

it('tries again what has no room until it has, and says so meanwhile', async () => {
  const problems = new ProblemBook(() => 7)
  const written: VaultBatch[] = []
  const stuck: boolean[] = []
  let tries = 0
  let makeRoom = (): void => {}
  const room = new Promise<void>((resolve) => {
    makeRoom = resolve
  })
  let isRoom = false
  const gate = new VaultGate({
    vault: {
      add: async (batch) => {
        if (++tries === 2) makeRoom()
        if (!isRoom) throw noRoom('cannot write pack 1')
        written.push(batch)
      },
    },
    problems,
    log: silentLog,
    isFull: isVaultFull,
    onStuck: (is) => stuck.push(is),
    retryMs: 1,
  })
  const batch = { pieces: [{ id: Buffer.alloc(32), bytes: Buffer.alloc(100) }] }
  const adding = gate.add(batch)
  await room
  assert.deepEqual(
    problems.list().map(({ code }) => code),
    ['DISK_FULL'],
  )
  assert.deepEqual([gate.isStuck, gate.isIdle, stuck, written], [true, false, [true], []])
  isRoom = true
  await adding
  assert.deepEqual([gate.isStuck, gate.isIdle, stuck, written], [false, true, [true, false], [batch]])
  assert.equal(problems.size, 0)
  // What waits when the share stops is told that it is not written.
  isRoom = false
  const late = gate.add(batch)
  gate.stop()
  await assert.rejects(late, /stops|abort/)
})

it('takes a vault that closes while the share stops for no fault of it', async () => {
  const problems = new ProblemBook(() => 7)
  const stuck: boolean[] = []
  const errors: unknown[] = []
  let refuse: (thrown: unknown) => void = () => {}
  const gate = new VaultGate({
    vault: {
      add: () =>
        new Promise((_, reject) => {
          refuse = reject
        }),
    },
    problems,
    log: { ...silentLog, error: (fields) => errors.push(fields) },
    isFull: isVaultFull,
    onStuck: (is) => stuck.push(is),
  })
  const adding = gate.add({})
  gate.stop()
  refuse(new ShoalError('INTERNAL', 'the vault is closed'))
  await assert.rejects(adding, /the share stops/)
  assert.deepEqual([problems.size, stuck, errors, gate.isIdle], [0, [], [], true])
})

it('stays stuck over pieces while what has none still finds room', async () => {
  const problems = new ProblemBook(() => 7)
  const stuck: boolean[] = []
  let isRoom = false
  const gate = new VaultGate({
    vault: {
      add: async ({ pieces }) => {
        if (pieces !== undefined && !isRoom) throw noRoom('cannot write pack 1')
      },
    },
    ...{ problems, log: silentLog, isFull: isVaultFull, retryMs: 1 },
    onStuck: (is) => stuck.push(is),
  })
  const adding = gate.add({ pieces: [{ id: Buffer.alloc(32), bytes: Buffer.alloc(100) }] })
  while (!gate.isStuck) await new Promise((resolve) => setImmediate(resolve))
  await gate.add({ certificates: [Buffer.alloc(40)] })
  assert.deepEqual([gate.isStuck, stuck, problems.size], [true, [true], 1])
  isRoom = true
  await adding
  assert.deepEqual([gate.isStuck, stuck, problems.size], [false, [true, false], 0])
})
