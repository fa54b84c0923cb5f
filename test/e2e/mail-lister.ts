// A mail reader that does nothing but list: `node mail-lister.js FILE`, FILE being JSON of a Watchlist. Goes on until its
// standard input ends, then prints a ListerReport.
//
// Messages go along a chain of folders in one direction only. Listed from the start of the chain to its end, one that was
// there before must come up at least once: it cannot get past the listing unseen. Listed from the end to the start, none
// may come up twice: it cannot go back. Both together say that each is there exactly once at every moment.
import fs from 'node:fs'
import path from 'node:path'

/** Chains of folders by a label; a folder holds few enough names for one getdents call, which the kernel does whole. */
export interface Watchlist {
  readonly chains: Readonly<Record<string, readonly string[]>>
}

export interface ListerReport {
  readonly passes: number
  readonly listings: number
  /** Messages that were seen. */
  readonly messages: number
  /** By the label of the chain, what was wrong; the first of each only. */
  readonly faults: Readonly<Record<string, readonly string[]>>
}

const MOST_FAULTS = 20
/** Names of this many bytes in all are read by one getdents call of glibc's, with room to spare. */
const MOST_BYTES = 24_000
const RECORD_BYTES = 24

const { chains } = JSON.parse(fs.readFileSync(process.argv[2]!, 'utf8')) as Watchlist
const known = new Map(Object.keys(chains).map((label) => [label, new Set<string>()]))
const faults = new Map<string, string[]>()
let passes = 0
let listings = 0
let isEnding = false

process.stdin.resume().once('end', () => {
  isEnding = true
})
go()

function go(): void {
  if (isEnding) return report()
  for (const [label, folders] of Object.entries(chains)) {
    if (passes % 2 === 0) forwards(label, folders)
    else backwards(label, folders)
  }
  passes++
  setTimeout(go, 1)
}

function report(): void {
  let messages = 0
  for (const seen of known.values()) messages += seen.size
  const result: ListerReport = { passes, listings, messages, faults: Object.fromEntries(faults) }
  process.stdout.write(JSON.stringify(result))
}

function forwards(label: string, folders: readonly string[]): void {
  const seen = new Set(folders.flatMap((folder) => list(label, folder)))
  for (const base of known.get(label)!) if (!seen.has(base)) fault(label, `${base} is in no folder`)
  for (const base of seen) known.get(label)!.add(base)
}

function backwards(label: string, folders: readonly string[]): void {
  const places = new Map<string, string>()
  for (const folder of folders.toReversed())
    for (const base of list(label, folder)) {
      const other = places.get(base)
      if (other !== undefined && other !== folder) fault(label, `${base} is in ${other} and in ${folder}`)
      places.set(base, folder)
    }
}

/** The base names in a folder. */
function list(label: string, folder: string): string[] {
  const names = fs.readdirSync(folder)
  listings++
  let bytes = 0
  const bases = new Map<string, string>()
  for (const name of names) {
    bytes += RECORD_BYTES + Buffer.byteLength(name)
    const base = name.split(':')[0]!
    const other = bases.get(base)
    if (other !== undefined) fault(label, `${other} and ${name} in one listing of ${shortOf(folder)}`)
    bases.set(base, name)
  }
  if (bytes > MOST_BYTES) fault(label, `${folder} is too large to be listed at once`)
  return [...bases.keys()]
}

function shortOf(folder: string): string {
  return folder.split(path.sep).slice(-3).join('/')
}

function fault(label: string, what: string): void {
  const list = faults.get(label) ?? []
  faults.set(label, list)
  if (list.length < MOST_FAULTS) list.push(`pass ${passes}: ${what}`)
}
