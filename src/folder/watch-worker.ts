// The thread behind a Watcher (watch.ts): one fs.watch per directory, all on this thread's own inotify queue. It turns
// events into sets of dirty directories: the first after a quiet moment is posted at once, those that follow are
// gathered for a few milliseconds. It also answers the question that libuv does not: may the kernel have dropped events?
//
// 1. The kernel drops events only while its queue holds `queueLength` of them, and all of those are then read in one go
//    (libuv reads until the queue is empty before anything else runs). So a run of fewer events means nothing was lost;
//    a longer one is reported as an overflow. Half the length is the bar, because some events have no listener any more.
// 2. A canary, a file made in `.shoal/canary`, must come back as an event: else the watches themselves are broken.
import path from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { OWN_DIR } from '../core/path.js'
import { assertSameVersion } from '../ports/thread-version.js'
import { Canary } from './watch-canary.js'
import type { Directory, WatchFailure, WatchReport, WatchRequest, WatchWorkerData } from './watch-protocol.js'
import { type Change, ITSELF, NAMES, type WatchNode, WatchTree } from './watch-tree.js'

/** How long dirty directories are gathered: long enough to merge a file's create, write, chmod and rename. */
const GATHER_MS = 12
/** Watches opened or closed between two looks at the queue; closing each queues an event by itself. */
const CHUNK = 500

const data = workerData as WatchWorkerData
assertSameVersion(data)
const port = parentPort!
const tree = new WatchTree()
/** Dirty since the last post, with the gravest change of each. */
const dirty = new Map<WatchNode, Change>()
let gatherTimer: NodeJS.Timeout | undefined
let lastPostMs = Number.NEGATIVE_INFINITY
/** Events in the present run, see 1. */
let runLength = 0
let runEnds = false
let overflowReported = false
/** Requests are served strictly in order, though some take several turns of the loop. */
let queue: Promise<void> = Promise.resolve()

const canary = new Canary({
  ownDirectory: path.join(data.root, OWN_DIR),
  intervalMs: data.canaryIntervalMs,
  timeoutMs: data.canaryTimeoutMs,
  counted: count,
  lost: () => post({ type: 'overflow', reason: 'canary' }),
  unusable: (detail) => post({ type: 'limited', limit: { code: 'CANARY', detail, directories: [] } }),
})

function post(report: WatchReport): void {
  port.postMessage(report)
}

/** Counts one event of the present run (see 1). */
function count(): void {
  if (!runEnds) {
    runEnds = true
    setImmediate(() => {
      runLength = 0
      runEnds = false
      overflowReported = false
    })
  }
  if (++runLength < data.queueLength / 2 || overflowReported) return
  overflowReported = true
  post({ type: 'overflow', reason: 'queue' })
}

function changed(node: WatchNode, change: Change): void {
  count()
  canary.stir()
  const known = dirty.get(node)
  if (known === undefined || change > known) dirty.set(node, change)
  // The clock is asked here too, because no timer fires while libuv empties a long queue.
  const nowMs = performance.now()
  if (nowMs - lastPostMs >= GATHER_MS) postDirty(nowMs)
  else gatherTimer ??= setTimeout(() => postDirty(performance.now()), GATHER_MS - (nowMs - lastPostMs))
}

function postDirty(nowMs: number): void {
  clearTimeout(gatherTimer)
  gatherTimer = undefined
  if (dirty.size === 0) return
  lastPostMs = nowMs
  const directories: Directory[] = []
  const gone: Directory[] = []
  for (const [node, change] of dirty) {
    if (!node.watching) continue
    directories.push(node.directory)
    if (change < NAMES || isStillWatched(node, change)) continue
    tree.drop(node)
    gone.push(node.directory)
  }
  dirty.clear()
  for (const directory of gone) {
    const slash = directory.lastIndexOf('/')
    if (directory !== '') directories.push((slash < 0 ? '' : directory.slice(0, slash)) as Directory)
  }
  if (directories.length > 0) post({ type: 'dirty', directories: [...new Set(directories)] })
  if (gone.length > 0) post({ type: 'gone', directories: gone })
}

/** Looks before the directory is reported, so that the scan that follows sees what a dead watch did not. */
function isStillWatched(node: WatchNode, change: Change): boolean {
  if (!node.isCurrent(data.root)) return false
  if (change < ITSELF) return true
  try {
    return node.open(data.root, changed)
  } catch {
    // No watch to be had: 'gone' makes the caller add it again, and that tells why.
    return false
  }
}

async function add(id: number, directories: readonly Directory[]): Promise<void> {
  // First, so that it has a watch even where they are too few.
  canary.prepare()
  const gone: Directory[] = []
  let index = 0
  for (; index < directories.length; index++) {
    if (index % CHUNK === CHUNK - 1) await nextTurn()
    const directory = directories[index]!
    try {
      if (!tree.add(data.root, directory, changed)) gone.push(directory)
    } catch (thrown) {
      const code = (thrown as NodeJS.ErrnoException).code ?? 'UNKNOWN'
      const exhausted = code === 'ENOSPC' || code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM'
      const detail = thrown instanceof Error ? thrown.message : String(thrown)
      // Where the system has no watch to give, asking thousands of times more only costs time.
      const unwatched = exhausted ? directories.slice(index) : [directory]
      post({ type: 'limited', limit: { code, detail, directories: unwatched } })
      if (exhausted) break
    }
  }
  if (gone.length > 0) post({ type: 'gone', directories: gone })
  post({ type: 'added', id })
}

async function remove(directories: readonly Directory[]): Promise<void> {
  let closed = 0
  for (const directory of directories) {
    for (const node of tree.take(directory)) {
      node.close()
      if (++closed % CHUNK === 0) await nextTurn()
    }
  }
}

function flush(id: number): void {
  canary.sing((certain) => {
    postDirty(performance.now())
    post({ type: 'flushed', id, certain })
  })
}

/** A turn of the loop, in which the queue is read. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function serve(request: WatchRequest): Promise<void> {
  switch (request.type) {
    case 'add':
      return add(request.id, request.directories)
    case 'remove':
      return remove(request.directories)
    case 'flush':
      return flush(request.id)
    case 'block':
      if (data.testing) Atomics.wait(request.gate, 0, 0, 10_000)
      return
    case 'fail':
      if (data.testing) fail(request.how)
  }
}

function fail(how: WatchFailure): void {
  if (how === 'throw') throw new Error('failed for a test')
  if (how === 'exit') process.exit(3)
  const kept: number[][] = []
  for (;;) kept.push(new Array<number>(10_000).fill(kept.length))
}

port.on('message', (request: WatchRequest) => {
  queue = queue.then(() => serve(request))
})
post({ type: 'started' })
