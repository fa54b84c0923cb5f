// Helpers for the tests of everything that writes below a share: a share in a temporary directory, and a way to crash or
// to meddle between any two system calls of a batch.
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parsePath, type RelPath } from '../../src/core/path.js'
import type { PieceKeys } from '../../src/core/piece.js'
import { type AttributeScope, NO_SCOPE } from '../../src/core/raw-attributes.js'
import { type DiskStat, statOf } from '../../src/core/stat.js'
import { type BatchProbe, commitBatch } from '../../src/folder/commit.js'
import type { CommitJob, CommitResult, Expect } from '../../src/folder/commit-job.js'
import type { Dress } from '../../src/folder/dress-job.js'
import type { SyncCalls } from '../../src/folder/durable.js'
import { prepareOwnDir } from '../../src/folder/marker.js'
import type { StagedAs } from '../../src/folder/stage-job.js'

/** 2024-02-03. */
export const AT_MS: number = Date.UTC(2024, 1, 3, 12)
export const DAY = '2024-02-03'

export const KEYS: PieceKeys = { sivKey: Buffer.alloc(32, 1), pieceKey: Buffer.alloc(32, 2) }

export function path(text: string): RelPath {
  return parsePath(text)
}

/** A token from a digit or two. */
export function token(seed: number): string {
  return seed.toString(16).padStart(32, '0')
}

/** No disk is waited for, since most tests ask other questions. */
export const NO_SYNC: SyncCalls = { fsync: () => undefined, syncFileSystem: () => true }

/** A share with its own directory, removed by `remove`. */
export class Share {
  readonly root: string
  /** What dresses are about. */
  scope: AttributeScope = NO_SCOPE

  constructor(root: string = fs.mkdtempSync(join(tmpdir(), 'shoal-folder-'))) {
    this.root = root
    prepareOwnDir(root)
  }

  remove(): void {
    fs.rmSync(this.root, { recursive: true, force: true })
  }

  at(name: string): string {
    return join(this.root, name)
  }

  write(name: string, content: string | Buffer): void {
    fs.mkdirSync(join(this.at(name), '..'), { recursive: true })
    fs.writeFileSync(this.at(name), content)
  }

  read(name: string): string {
    return fs.readFileSync(this.at(name), 'utf8')
  }

  exists(name: string): boolean {
    return fs.lstatSync(this.at(name), { throwIfNoEntry: false }) !== undefined
  }

  stat(name: string): DiskStat {
    return statOf(fs.lstatSync(this.at(name)))
  }

  /** What is there now, as a job's expectation. */
  expect(name: string): Expect {
    return this.exists(name) ? { type: 'stat', stat: this.stat(name) } : { type: 'absent' }
  }

  stage(seed: number, content: string | Buffer): void {
    fs.writeFileSync(this.at(`.shoal/staging/${token(seed)}`), content, { mode: 0o600 })
  }

  /** A staged file and the job that gives it its name. */
  fileJob(
    name: string,
    content: string,
    more: {
      seed?: number
      mode?: number
      mtimeUs?: number
      expect?: Expect
      slipName?: string
      dress?: Dress
      staged?: StagedAs
    } = {},
  ): CommitJob {
    const {
      seed = 1,
      mode = 0o640,
      mtimeUs = 1_600_000_000_123_456,
      expect = this.expect(name),
      ...rest
    } = more
    this.stage(seed, content)
    const size = Buffer.byteLength(content)
    return { type: 'file', path: path(name), token: token(seed), size, mode, mtimeUs, expect, ...rest }
  }

  commit(jobs: readonly CommitJob[], probe: BatchProbe = {}, archive = true): CommitResult[] {
    const options = { archive, atMs: AT_MS, scope: this.scope }
    return commitBatch({ root: this.root, jobs, options }, { syncCalls: NO_SYNC, ...probe })
  }

  /** One job. */
  commitOne(job: CommitJob, probe: BatchProbe = {}, archive = true): CommitResult {
    return this.commit([job], probe, archive)[0]!
  }

  /** Every regular file below a directory, by path relative to the root, with its content; symlinks as "-> target". */
  files(directory = ''): Map<string, string> {
    const found = new Map<string, string>()
    for (const entry of fs.readdirSync(this.at(directory), { withFileTypes: true })) {
      const name = directory === '' ? entry.name : `${directory}/${entry.name}`
      if (entry.isDirectory()) for (const [below, content] of this.files(name)) found.set(below, content)
      else if (entry.isSymbolicLink()) found.set(name, `-> ${fs.readlinkSync(this.at(name))}`)
      else found.set(name, this.read(name))
    }
    return found
  }

  /** The contents of what a user can see, without our own folder. */
  seen(): string[] {
    return [...this.files()].filter(([name]) => !name.startsWith('.shoal/')).map(([, content]) => content)
  }

  /** All contents, our own folder included. */
  all(): string[] {
    return [...this.files().values()]
  }
}

export class Crash extends Error {}

const WATCHED = [
  'openSync',
  'lstatSync',
  'fstatSync',
  'linkSync',
  'unlinkSync',
  'renameSync',
  'mkdirSync',
  'rmdirSync',
  'symlinkSync',
  'readlinkSync',
  'chmodSync',
  'chownSync',
  'fchownSync',
  'fchmodSync',
  'utimesSync',
  'futimesSync',
  'lutimesSync',
  'readSync',
  'writeSync',
] as const

type AnyCall = (...values: unknown[]) => unknown

/**
 * Runs `body` and calls `at(n)` before its nth system call and at each of its steps (the exchange is between two of
 * them). While `at` runs, the calls are the real ones. Returns how many points there were.
 */
export function atEveryCall(at: (point: number) => void, body: (step: () => void) => void): number {
  const calls = fs as unknown as Record<(typeof WATCHED)[number], AnyCall>
  const real = new Map(WATCHED.map((name) => [name, calls[name]]))
  let point = 0
  let inside = false
  const reached = (): void => {
    if (inside) return
    inside = true
    try {
      at(point++)
    } finally {
      inside = false
    }
  }
  for (const [name, call] of real) {
    calls[name] = (...values) => {
      reached()
      return call(...values)
    }
  }
  try {
    body(reached)
  } finally {
    for (const [name, call] of real) calls[name] = call
  }
  return point
}

/** Runs a batch that dies at a point: nothing it tries after that happens. False if the batch has fewer points. */
export function crashAt(point: number, run: (probe: BatchProbe) => void, probe: BatchProbe = {}): boolean {
  let crashed = false
  const at = (now: number): void => {
    if (now < point) return
    crashed = true
    throw new Crash()
  }
  try {
    atEveryCall(at, (step) => run({ ...probe, step }))
  } catch (thrown) {
    if (!(thrown instanceof Crash)) throw thrown
  }
  return crashed
}
