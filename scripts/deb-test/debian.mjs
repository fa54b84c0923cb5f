// Clean Debians to test in: made by debootstrap once, kept as a tar file, unpacked for each test, entered without a
// network. Promises: mounts and processes live in namespaces of their own and end with them, whatever happens.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The loopback interface is down in a new network namespace; /proc is the new PID namespace's own. */
const ENTER =
  'set -e; ip link set lo up; mount -t proc proc "$0/proc"; exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"'

/** Longer than the test's own limit within; systemd-nspawn ends the container when it is told to end. */
const BOOTED_MS = 600_000

/** Why it cannot work here; undefined if it can. */
export function obstacle() {
  if (process.platform !== 'linux') return 'it needs Linux'
  if (process.getuid() !== 0) return 'it needs root, for chroot'
  const missing = ['dpkg-deb', 'unshare', 'chroot', 'tar', 'ip'].find((command) => !has(command))
  if (missing !== undefined) return `there is no ${missing}`
  if (spawnSync('unshare', ['--net', '--mount', '--pid', '--fork', 'true']).status !== 0)
    return 'this machine allows no namespaces'
  return undefined
}

export function has(command) {
  return spawnSync('sh', ['-c', 'command -v "$0"', command]).status === 0
}

/** Installs a Debian package on this machine where its command is missing; whether the command is there now. */
export function ensure(command, packageName) {
  if (!has(command))
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', packageName], {
      stdio: 'inherit',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
  return has(command)
}

/**
 * The tar file of a Debian with its essential packages, apt and `packages`, made if it is not in `cache` yet; undefined
 * if it cannot be made (no debootstrap, no mirror).
 */
export function cleanDebian(cache, suite, name, packages) {
  const file = join(cache, `${suite}-${name}.tar`)
  if (existsSync(file)) return file
  if (!ensure('debootstrap', 'debootstrap')) return undefined
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(tmpdir(), 'shoal-debootstrap-'))
  try {
    const include = packages.length === 0 ? [] : [`--include=${packages.join(',')}`]
    // From the mirror that debootstrap knows, or another one if told.
    const mirror = process.env.DEBIAN_MIRROR === undefined ? [] : [process.env.DEBIAN_MIRROR]
    const made = run('debootstrap', ['--variant=minbase', ...include, suite, folder, ...mirror], {
      stdio: 'pipe',
    })
    if (made.status !== 0) {
      console.error(made.stdout.split('\n').slice(-5).join('\n'))
      return undefined
    }
    // debootstrap downloads into the cache that a clean system has empty.
    rmSync(join(folder, 'var/cache/apt/archives'), { recursive: true })
    mkdirSync(join(folder, 'var/cache/apt/archives/partial'), { recursive: true })
    must('tar', ['-C', folder, '--one-file-system', '-cf', `${file}.new`, '.'])
    renameSync(`${file}.new`, file)
    return file
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export function unpack(file, folder) {
  must('tar', ['-C', folder, '--numeric-owner', '-xpf', file])
  // A temporary folder is its maker's alone, but this one is to be everybody's "/".
  chmodSync(folder, 0o755)
}

/** Runs a command in a Debian at `folder`, without a network; its exit code. */
export function inside(folder, command) {
  const namespaces = ['--net', '--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child']
  return run('unshare', [...namespaces, 'sh', '-c', ENTER, folder, ...command]).status
}

/**
 * Boots the Debian at `folder` with its own systemd in a container without a network, runs a command there and turns it
 * off: the command's exit code, or undefined if it did not boot here. Needs /root; the output is printed when it is over.
 */
export function booted(folder, command) {
  const unit = [
    ...['[Unit]', 'After=basic.target dbus.service', '[Service]', 'Type=oneshot', 'TimeoutStartSec=9min'],
    ...['StandardOutput=append:/root/output', 'StandardError=inherit'],
    `ExecStart=/bin/sh -c '"$$@"; echo $$? >/root/status' sh ${command.join(' ')}`,
    'ExecStopPost=/bin/systemctl --force --force poweroff',
  ]
  writeFileSync(join(folder, 'etc/systemd/system/test.service'), `${unit.join('\n')}\n`)
  const wants = join(folder, 'etc/systemd/system/multi-user.target.wants')
  mkdirSync(wants, { recursive: true })
  symlinkSync('/etc/systemd/system/test.service', join(wants, 'test.service'))
  const options = ['--quiet', '--boot', '--private-network', '--register=no', '--keep-unit', '--console=pipe']
  spawnSync('systemd-nspawn', [...options, `--directory=${folder}`], { stdio: 'ignore', timeout: BOOTED_MS })
  const read = (name) => {
    const file = join(folder, 'root', name)
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined
  }
  const output = read('output')
  if (output === undefined) return undefined
  process.stdout.write(output)
  return Number(read('status') ?? 1)
}

function must(command, arguments_) {
  if (run(command, arguments_).status !== 0) throw new Error(`${command} ${arguments_.join(' ')} failed`)
}

function run(command, arguments_, { stdio = 'inherit' } = {}) {
  return spawnSync(command, arguments_, { stdio: ['ignore', stdio, stdio], encoding: 'utf8' })
}
