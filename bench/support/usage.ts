// What a program uses from its start to its end, with all that it starts: seconds, processor seconds, memory.
import { type SpawnOptions, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

export interface Usage {
  readonly seconds: number
  readonly cpuSeconds: number
  /** The most that its processes had resident at one moment, what they share counted for each. */
  readonly peakMiB: number
}

const CLOCK_TICKS_PER_SECOND = 100
const SAMPLE_MS = 20
/** Who descends from them is looked up once in so many looks: it takes reading a file for each thread, of what is measured. */
const LOOKS_A_CENSUS = 10

/**
 * The most memory that processes and their descendants have resident together, looked at every 20 ms until it is stopped; a
 * descendant that lives for less than 200 ms may be missed.
 */
export class MemorySampler {
  readonly #roots: readonly number[]
  readonly #timer: NodeJS.Timeout
  #peakKiB = 0
  #looks = 0
  #processes: readonly number[] = []

  constructor(roots: readonly number[]) {
    this.#roots = roots
    this.#timer = setInterval(() => this.#look(), SAMPLE_MS)
    this.#look()
  }

  stop(): number {
    clearInterval(this.#timer)
    return this.#peakKiB / 1024
  }

  #look(): void {
    let sum = 0
    let most = 0
    if (this.#looks++ % LOOKS_A_CENSUS === 0) this.#processes = this.#roots.flatMap(treeOf)
    for (const pid of this.#processes) {
      const status = read(`/proc/${pid}/status`)
      sum += Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0)
      most = Math.max(most, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0))
    }
    // What one of them had between two looks is known, too.
    this.#peakKiB = Math.max(this.#peakKiB, sum, this.#roots.length === 1 ? most : 0)
  }
}

/** Runs a command to its end; throws if it fails. One at a time: processor seconds are those of all children that ended. */
export async function measureCommand(
  command: readonly string[],
  options: Pick<SpawnOptions, 'cwd' | 'env'> = {},
): Promise<Usage> {
  const cpuBefore = cpuOfEndedChildren()
  const start = performance.now()
  const child = spawn(command[0]!, command.slice(1), { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
  let words = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-4096)
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const sampler = new MemorySampler(child.pid === undefined ? [] : [child.pid])
  const status = await ended.finally(() => sampler.stop())
  const seconds = (performance.now() - start) / 1000
  if (status !== 0) throw new Error(`${command.join(' ')} failed with ${status}:\n${words}`)
  return { seconds, cpuSeconds: cpuOfEndedChildren() - cpuBefore, peakMiB: sampler.stop() }
}

/** MiB that the blocks of all files in a folder take. */
export function diskMiB(folder: string): number {
  let bytes = 0
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true }))
    bytes += fs.lstatSync(path.join(entry.parentPath, entry.name)).blocks * 512
  return bytes / 2 ** 20
}

function cpuOfEndedChildren(): number {
  const stat = fs.readFileSync('/proc/self/stat', 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) / CLOCK_TICKS_PER_SECOND
}

function treeOf(pid: number): number[] {
  let threads: string[]
  try {
    threads = fs.readdirSync(`/proc/${pid}/task`)
  } catch (thrown) {
    if (isGone(thrown)) return []
    throw thrown
  }
  const children = threads.flatMap((thread) => read(`/proc/${pid}/task/${thread}/children`).split(' '))
  return [pid, ...children.filter((each) => each !== '').flatMap((each) => treeOf(Number(each)))]
}

/** Empty for a process that ended meanwhile. */
function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch (thrown) {
    if (isGone(thrown)) return ''
    throw thrown
  }
}

function isGone(thrown: unknown): boolean {
  const { code } = thrown as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ESRCH'
}
