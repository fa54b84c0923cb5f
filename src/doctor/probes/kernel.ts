// What the kernel tells in /proc and /sys: limits, mounts, sockets, locks. Reads only; what cannot be read is undefined.
import fs from 'node:fs'

/** A number that stands in a file. */
export function numberIn(file: string): number | undefined {
  const value = Number(textOf(file)?.trim())
  return Number.isFinite(value) && textOf(file)?.trim() !== '' ? value : undefined
}

/** The soft limit of open files of a process. */
export function descriptorLimit(pid: number | 'self'): number | undefined {
  const match = /^Max open files\s+(\S+)/m.exec(textOf(`/proc/${pid}/limits`) ?? '')
  if (match === null) return undefined
  return match[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(match[1])
}

/** How many files a process has open. */
export function descriptorsOf(pid: number): number | undefined {
  return namesIn(`/proc/${pid}/fd`)?.length
}

/** Open files of the machine, and how many it may have. */
export function systemDescriptors(): { readonly used: number; readonly limit: number } | undefined {
  const [used, , limit] = (textOf('/proc/sys/fs/file-nr') ?? '').trim().split(/\s+/).map(Number)
  return used === undefined || limit === undefined || Number.isNaN(limit) ? undefined : { used, limit }
}

/** Watches and instances of inotify that processes of a user have, as far as they can be seen. */
export function inotifyUse(uid: number, except: number | undefined): { watches: number; instances: number } {
  const use = { watches: 0, instances: 0 }
  for (const pid of pids()) {
    if (pid === except || statOf(`/proc/${pid}`)?.uid !== uid) continue
    for (const fd of namesIn(`/proc/${pid}/fd`) ?? []) {
      if (linkOf(`/proc/${pid}/fd/${fd}`) !== 'anon_inode:inotify') continue
      use.instances++
      use.watches += (textOf(`/proc/${pid}/fdinfo/${fd}`)?.match(/^inotify /gm) ?? []).length
    }
  }
  return use
}

export interface Mount {
  readonly type: string
  readonly isReadOnly: boolean
}

/** The mount that a folder lies in. */
export function mountOf(path: string): Mount | undefined {
  let real: string
  try {
    real = fs.realpathSync(path)
  } catch {
    // Not there, or not for us: then nothing is known of it.
    return undefined
  }
  let best: (Mount & { readonly at: string }) | undefined
  for (const line of (textOf('/proc/self/mountinfo') ?? '').split('\n')) {
    // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    const [left = '', right = ''] = line.split(' - ')
    const [, , , , at, options = ''] = left.split(' ')
    const [type = '', , superOptions = ''] = right.split(' ')
    if (at === undefined) continue
    const point = at.replace(/\\([0-7]{3})/g, (_all, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    )
    if (real !== point && !real.startsWith(point === '/' ? '/' : `${point}/`)) continue
    // Of two at one place the later one is on top.
    if (best !== undefined && best.at.length > point.length) continue
    best = { at: point, type, isReadOnly: isReadOnly(options) || isReadOnly(superOptions) }
  }
  return best === undefined ? undefined : { type: best.type, isReadOnly: best.isReadOnly }
}

/** Inodes of sockets that listen on a TCP port, on any address. */
export function listeners(port: number): readonly string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return ['tcp', 'tcp6'].flatMap((table) =>
    (textOf(`/proc/net/${table}`) ?? '').split('\n').flatMap((line) => {
      const fields = line.trim().split(/\s+/)
      // 0A: listening.
      return fields[1]?.endsWith(`:${hex}`) && fields[3] === '0A' ? [fields[9]!] : []
    }),
  )
}

/** The process that has one of some sockets; undefined: it cannot be seen. */
export function holderOf(
  inodes: readonly string[],
): { readonly pid: number; readonly name: string } | undefined {
  const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`))
  for (const pid of pids())
    for (const fd of namesIn(`/proc/${pid}/fd`) ?? []) {
      const link = linkOf(`/proc/${pid}/fd/${fd}`)
      if (link !== undefined && wanted.has(link))
        return { pid, name: textOf(`/proc/${pid}/comm`)?.trim() ?? 'unknown' }
    }
  return undefined
}

/** Whether somebody has locked a file; undefined: it cannot be told. */
export function isLocked(file: string): boolean | undefined {
  const stat = statOf(file)
  const locks = textOf('/proc/locks')
  if (locks === undefined) return undefined
  if (stat === undefined) return false
  // 1: OFDLCK ADVISORY WRITE -1 fd:00:1234 0 EOF; device numbers differ from stat's on some file systems.
  return locks.split('\n').some((line) => line.split(/\s+/)[5]?.endsWith(`:${stat.ino}`) === true)
}

function isReadOnly(options: string): boolean {
  return options.split(',').includes('ro')
}

function pids(): readonly number[] {
  return (namesIn('/proc') ?? []).filter((name) => /^\d+$/.test(name)).map(Number)
}

function textOf(file: string): string | undefined {
  return ifThere(() => fs.readFileSync(file, 'utf8'))
}

function namesIn(folder: string): readonly string[] | undefined {
  return ifThere(() => fs.readdirSync(folder))
}

function linkOf(path: string): string | undefined {
  return ifThere(() => fs.readlinkSync(path))
}

function statOf(path: string): fs.Stats | undefined {
  return ifThere(() => fs.statSync(path))
}

/** Processes end while they are looked at, and those of others are theirs. */
function ifThere<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
