// What this process may do to files beyond what their owner may.
import { readFileSync } from 'node:fs'
import type { Capability } from './capabilities.js'

/** Numbers of capabilities (linux/capability.h). */
const BITS: Readonly<Record<Capability, bigint>> = { CAP_CHOWN: 0n, CAP_DAC_READ_SEARCH: 2n, CAP_FOWNER: 3n }

/** Whether this process has a capability in force. Where that cannot be told, root has all and others have none. */
export function hasCapability(capability: Capability, statusFile = '/proc/self/status'): boolean {
  const effective = effectiveSet(statusFile)
  if (effective === undefined) return process.geteuid?.() === 0
  return ((effective >> BITS[capability]) & 1n) === 1n
}

function effectiveSet(statusFile: string): bigint | undefined {
  try {
    const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync(statusFile, 'utf8'))
    return match === null ? undefined : BigInt(`0x${match[1]}`)
  } catch {
    // Without /proc there is nothing to read; who we are has to do.
    return undefined
  }
}
