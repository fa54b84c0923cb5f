// What a daemon's status says of how far it is with what a command waits for. Each makes a meter: a function of the reports
// in their order, which remembers what the first of them said.
import type { ShareReport, StatusReport } from '../../control/schema.js'
import type { Measure } from './measure.js'

export type Meter = (report: StatusReport) => Measure | undefined

const NAMED = 3

/** Of looking through the folders. */
export function scanMeter(): Meter {
  return ({ shares }) => {
    const scans = shares.flatMap(({ scan, files }) => (scan === null ? [] : [{ ...scan, known: files }]))
    if (scans.length === 0) return undefined
    const toRead = sum(scans.map(({ toReadBytes }) => toReadBytes))
    const listed = sum(scans.map(({ files }) => files))
    if (toRead > 0)
      return {
        done: sum(scans.map(({ readBytes }) => readBytes)),
        total: toRead,
        unit: 'bytes',
        detail: `${listed} files listed`,
      }
    const known = sum(scans.map((scan) => scan.known))
    return { done: listed, ...(known >= listed && known > 0 && { total: known }), unit: 'file' }
  }
}

/** Of everybody getting to hold the same; `givesUpInMs` tells how long it is waited for. */
export function syncMeter(givesUpInMs: () => number): Meter {
  let mostBytes = 0
  let mostFiles = 0
  const scan = scanMeter()
  return (report) => {
    const { shares } = report
    const scanning = scan(report)
    if (scanning !== undefined) return { ...scanning, givesUpInMs: givesUpInMs() }
    const bytes = sum(shares.map(({ needBytes }) => needBytes))
    const files = sum(shares.map(({ needFiles }) => needFiles))
    mostBytes = Math.max(mostBytes, bytes)
    mostFiles = Math.max(mostFiles, files)
    const waiting = { givesUpInMs: givesUpInMs(), detail: waitedFor(shares) }
    if (bytes > 0) return { done: mostBytes - bytes, total: mostBytes, unit: 'bytes', ...waiting }
    if (files > 0) return { done: mostFiles - files, total: mostFiles, unit: 'path', ...waiting }
    const members = shares.flatMap((share) => share.members).filter(({ unreadable }) => !unreadable)
    const equal = members.filter(({ connected, digestEqual }) => connected && digestEqual)
    if (members.length === 0) return { done: 0, unit: 'member', ...waiting }
    return { done: equal.length, total: members.length, unit: 'member', ...waiting }
  }
}

/** Of putting what a reader has too much into the archive, or putting drift right. */
export function driftMeter(): Meter {
  let most = 0
  return ({ shares }) => {
    const left = sum(shares.map(({ drift }) => drift))
    most = Math.max(most, left)
    return most === 0 ? undefined : { done: most - left, total: most, unit: 'path' }
  }
}

/** Of making a release of the share at this place: first what is still to come here, then its own files. */
export function releaseMeter(share: number): Meter {
  let before: number | undefined
  const scan = scanMeter()
  return (report) => {
    const own = report.shares[share]
    if (own === undefined) return undefined
    const scanning = scan({ ...report, shares: [own] })
    if (scanning !== undefined) return { ...scanning, detail: 'reading the folder' }
    if (own.needFiles > 0) return { done: own.needFiles, unit: 'path', detail: 'still to be brought here' }
    // What is published of it is a file of the share, like any other; how many there will be, nobody has counted.
    before ??= own.files
    return { done: Math.max(0, own.files - before), unit: 'file', detail: 'copying and publishing' }
  }
}

/** Of hooks that run. */
export function hooksMeter(): Meter {
  return ({ shares }) => {
    const hooks = shares.flatMap((share) => share.hooks)
    const running = hooks.filter(({ state }) => state === 'running')
    const pending = sum(hooks.map((hook) => hook.pending))
    const names = running.map(({ number }) => `hook ${number}`).join(', ')
    return { done: pending, unit: 'pending path', detail: names === '' ? '' : `${names} running` }
  }
}

function waitedFor(shares: readonly ShareReport[]): string {
  const names = shares.flatMap(({ members }) =>
    members.filter(({ connected, digestEqual, expired }) => !expired && !(connected && digestEqual)),
  )
  if (names.length === 0) return ''
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : ''
  const first = names
    .slice(0, NAMED)
    .map(({ name, connected }) => (connected ? name : `${name} (unreachable)`))
  return `waiting for ${first.join(', ')}${more}`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
