// A network namespace as a machine of the lab: its own interfaces, addresses, routes and firewall, and processes that see
// nothing else. They share the file system, so control sockets are reached from outside. Only inside of `enter` (see
// scripts/test-net.mjs): all of it lives in namespaces of its own, without a way to the machine's network, that end with
// their first process, whatever ends it.
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'

/** Set by scripts/test-net.mjs for what runs inside. */
export const INSIDE = 'SHOAL_NET_LAB'

export class Namespace {
  readonly name: string

  /** Makes it, with loopback up and no other interface. @param name 1 to 14 characters of a-z, 0-9 and "-" */
  constructor(name: string) {
    assertInside()
    this.name = name
    command('ip', ['netns', 'add', name])
    this.ip('link', 'set', 'lo', 'up')
    // Addresses are usable at once, and come from nobody but the lab.
    this.set('net.ipv6.conf.all.accept_dad', 0)
    this.set('net.ipv6.conf.default.accept_dad', 0)
    this.set('net.ipv6.conf.default.accept_ra', 0)
  }

  get path(): string {
    return `/run/netns/${this.name}`
  }

  /** Runs `ip` on it. @throws Error with what ip said */
  ip(...args: readonly string[]): string {
    return command('ip', ['-n', this.name, ...args])
  }

  /** Runs a program in it to its end; its output. @throws Error with what it said, unless it ends with 0 */
  run(program: string, args: readonly string[], input?: string): string {
    return command('ip', ['netns', 'exec', this.name, program, ...args], input)
  }

  /** Starts a program in it. Its pid is that of the program. */
  spawn(program: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return spawn('ip', ['netns', 'exec', this.name, program, ...args], options)
  }

  /** A kernel setting. */
  set(key: string, value: number | string): void {
    this.run('sysctl', ['-q', '-w', `${key}=${value}`])
  }

  /** Bytes that an interface has received and sent so far, with what Ethernet adds. */
  traffic(device: string): { readonly receivedBytes: number; readonly sentBytes: number } {
    const [link] = JSON.parse(this.ip('-s', '-j', 'link', 'show', 'dev', device)) as {
      stats64: { rx: { bytes: number; packets: number }; tx: { bytes: number; packets: number } }
    }[]
    return { receivedBytes: link!.stats64.rx.bytes, sentBytes: link!.stats64.tx.bytes }
  }
}

/** @throws Error where the lab would touch the machine itself */
export function assertInside(): void {
  if (process.env[INSIDE] === undefined)
    throw new Error('the lab runs inside of namespaces of its own: npm run test:net')
}

/** Runs a program of this machine to its end; its output. */
export function command(program: string, args: readonly string[], input?: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    ...(input === undefined ? {} : { input }),
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.trim()} (exit ${status})`)
  return stdout
}
