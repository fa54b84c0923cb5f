// Asks the daemon of a storage path for its status; if it does not answer, whether somebody has the storage.
import fs from 'node:fs'
import { join } from 'node:path'
import { controlClient } from '../../control/client.js'
import { ShoalError } from '../../core/error.js'
import type { DaemonFacts } from '../checks/daemon.js'
import { isLocked } from './kernel.js'

const ANSWER_MS = 10_000
/** One that was started a moment ago has the storage, and does not listen yet. */
const START_MS = 5000
const AGAIN_MS = 200

export async function daemonFacts(storagePath: string): Promise<DaemonFacts> {
  const endMs = performance.now() + START_MS
  for (;;) {
    const facts = await ask(storagePath)
    if (facts.state !== 'silent' || performance.now() > endMs) return facts
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}

async function ask(storagePath: string): Promise<DaemonFacts> {
  try {
    const report = await controlClient(storagePath).status({ signal: AbortSignal.timeout(ANSWER_MS) })
    return { state: 'running', report }
  } catch (thrown) {
    if (thrown instanceof ShoalError && thrown.message.includes('belongs to another user'))
      return { state: 'forbidden' }
    const lock = join(storagePath, 'lock')
    if (isLocked(lock) !== true) return { state: 'stopped' }
    const why = thrown instanceof ShoalError ? thrown.message : `no answer in ${ANSWER_MS / 1000} seconds`
    return { state: 'silent', pid: pidIn(lock), why }
  }
}

function pidIn(lock: string): string {
  try {
    const text = fs.readFileSync(lock, 'utf8').trim()
    return /^\d{1,10}$/.test(text) ? text : 'unknown'
  } catch {
    return 'unknown'
  }
}
