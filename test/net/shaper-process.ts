// The link shaper: a process that carries Ethernet frames between taps of different network namespaces and does to them
// what link-model.ts says. Orders come as JSON lines on its standard input, answers go as JSON lines to its standard
// output; it ends with its input. A loop of its own around ppoll(2), since Node's streams do not take taps, and what is
// late by a thread's turn would blur the delays. Needs root.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { Direction, type Shape, type ShapeCounts, seededRandom } from './link-model.js'

/** A tap in a network namespace. */
export interface TapPlace {
  /** Path of the namespace, as /run/netns/NAME. */
  readonly namespace: string
  readonly interface: string
}

export type Order =
  | { type: 'open'; link: number; a: TapPlace; b: TapPlace; forth: Shape; back: Shape; seed: number }
  | { type: 'set'; link: number; forth?: Shape; back?: Shape }
  | { type: 'counts'; link: number }

/** Answers come in the order of the orders. */
export type Answer =
  | { type: 'done' }
  | { type: 'counts'; forth: ShapeCounts; back: ShapeCounts }
  | { type: 'failed'; why: string }

interface Flow {
  readonly fromFd: number
  readonly toFd: number
  readonly direction: Direction
  /** On their way, earliest first. */
  readonly flying: { readonly atUs: number; readonly frame: Buffer }[]
  /** The first of them that has not arrived. */
  next: number
}

const O_RDWR_NONBLOCK = 0o2 | 0o4000
const CLONE_NEWNET = 0x4000_0000
const TUNSETIFF = 0x4004_54ca
const IFF_TAP_NO_PI = 0x1002
const POLLIN = 1
const ETHERNET_BYTES = 14
/** Frames read from one tap before the others have their turn. */
const BURST = 64
const IDLE_US = 1_000_000

const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
const libc = koffi.load(null)
const open = libc.func('int open(const char *path, int flags)')
const ioctl = libc.func('int ioctl(int fd, unsigned long request, uint8_t *argument)')
const setns = libc.func('int setns(int fd, int kind)')
const read = libc.func('long read(int fd, uint8_t *to, size_t length)')
const write = libc.func('long write(int fd, const uint8_t *from, size_t length)')
const ppoll = libc.func('int ppoll(uint8_t *fds, unsigned long count, uint8_t *timeout, void *mask)')

const flows = new Map<number, { readonly forth: Flow; readonly back: Flow }>()
const scratch = Buffer.alloc(65_536)
const timeout = Buffer.alloc(16)
/** struct pollfd of the input and of each tap. */
let watched = Buffer.alloc(8)
let byPlace: Flow[] = []
let unread = ''

watch()
for (;;) {
  const nextUs = deliver()
  const waitUs = Math.max(0, Math.min(IDLE_US, nextUs - nowUs()))
  timeout.writeBigInt64LE(BigInt(Math.floor(waitUs / 1e6)), 0)
  timeout.writeBigInt64LE(BigInt(Math.floor(waitUs % 1e6) * 1000), 8)
  if ((ppoll(watched, watched.length / 8, timeout, null) as number) <= 0) continue
  for (const [i, flow] of byPlace.entries()) if (watched.readInt16LE((i + 1) * 8 + 6) !== 0) take(flow)
  if (watched.readInt16LE(6) !== 0) obey()
}

/** Puts down what has arrived; when the next one does. */
function deliver(): number {
  const now = nowUs()
  let soonest = Number.POSITIVE_INFINITY
  for (const flow of byPlace) {
    const { flying, toFd } = flow
    let due = flying[flow.next]
    while (due !== undefined && due.atUs <= now) {
      // A tap whose queue is full loses the frame, as any interface does.
      write(toFd, due.frame, due.frame.length)
      due = flying[++flow.next]
    }
    if (flow.next > 1024 || due === undefined) {
      flying.splice(0, flow.next)
      flow.next = 0
    }
    if (due !== undefined && due.atUs < soonest) soonest = due.atUs
  }
  return soonest
}

function take({ fromFd, direction, flying }: Flow): void {
  for (let i = 0; i < BURST; i++) {
    const length = Number(read(fromFd, scratch, scratch.length))
    if (length <= 0) return
    const atUs = direction.offer(nowUs(), Math.max(0, length - ETHERNET_BYTES))
    if (atUs !== undefined) flying.push({ atUs, frame: Buffer.from(scratch.subarray(0, length)) })
  }
}

function obey(): void {
  let text: string
  try {
    const length = fs.readSync(0, scratch)
    if (length === 0) process.exit(0)
    text = scratch.toString('utf8', 0, length)
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'EAGAIN') return
    throw err
  }
  const lines = (unread + text).split('\n')
  unread = lines.pop() ?? ''
  for (const line of lines) answer(line)
}

function answer(line: string): void {
  let said: Answer
  try {
    said = carryOut(JSON.parse(line) as Order)
  } catch (thrown) {
    said = { type: 'failed', why: thrown instanceof Error ? thrown.message : String(thrown) }
  }
  fs.writeSync(1, `${JSON.stringify(said)}\n`)
}

function carryOut(order: Order): Answer {
  if (order.type === 'open') {
    const a = makeTap(order.a)
    const b = makeTap(order.b)
    const make = (fromFd: number, toFd: number, shape: Shape, seed: number): Flow => ({
      fromFd,
      toFd,
      direction: new Direction(shape, seededRandom(seed)),
      flying: [],
      next: 0,
    })
    flows.set(order.link, {
      forth: make(a, b, order.forth, order.seed),
      back: make(b, a, order.back, order.seed + 1),
    })
    watch()
    return { type: 'done' }
  }
  const link = flows.get(order.link)
  if (link === undefined) throw new Error(`there is no link ${order.link}`)
  if (order.type === 'counts')
    return { type: 'counts', forth: link.forth.direction.counts, back: link.back.direction.counts }
  if (order.forth !== undefined) link.forth.direction.set(order.forth)
  if (order.back !== undefined) link.back.direction.set(order.back)
  return { type: 'done' }
}

/** A tap is of the namespace that its file was opened in. */
function makeTap({ namespace, interface: name }: TapPlace): number {
  const home = fs.openSync('/proc/self/ns/net', 'r')
  const there = fs.openSync(namespace, 'r')
  try {
    must('setns', setns(there, CLONE_NEWNET) as number)
    const fd = must('open /dev/net/tun', open('/dev/net/tun', O_RDWR_NONBLOCK) as number)
    const request = Buffer.alloc(40)
    request.write(name, 0, 15, 'latin1')
    request.writeUInt16LE(IFF_TAP_NO_PI, 16)
    must(`make tap ${name}`, ioctl(fd, TUNSETIFF, request) as number)
    return fd
  } finally {
    must('setns', setns(home, CLONE_NEWNET) as number)
    fs.closeSync(there)
    fs.closeSync(home)
  }
}

function must(what: string, result: number): number {
  if (result < 0) throw new Error(`cannot ${what}: errno ${koffi.errno()}`)
  return result
}

function watch(): void {
  byPlace = [...flows.values()].flatMap(({ forth, back }) => [forth, back])
  watched = Buffer.alloc(8 * (byPlace.length + 1))
  const fds = [0, ...byPlace.map(({ fromFd }) => fromFd)]
  for (const [i, fd] of fds.entries()) {
    watched.writeInt32LE(fd, i * 8)
    watched.writeInt16LE(POLLIN, i * 8 + 4)
  }
}

function nowUs(): number {
  return performance.now() * 1000
}
