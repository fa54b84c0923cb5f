// Shoal in networks of its own: hosts are network namespaces, with LANs, NATs and bad links between them (test/net). As
// root, after a build:
//   npm run test:net -- [SCENARIO...] [--seed N] [--list] [--script FILE] [--no-docs]
// Everything happens in a network, mount and process namespace that has no way out and ends with this process, whatever
// ends it: nothing is left to clean up. Where that cannot be had, it says why and ends with 0.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { ensure, has } from './deb-test/debian.mjs'

const TOOLS = { ip: 'iproute2', tc: 'iproute2', nft: 'nftables', sysctl: 'procps', unshare: 'util-linux' }
/** Namespaces by name, hosts by name, no DNS, and a folder in memory: all of them seen from inside only. */
const ENTER = [
  'set -e',
  'mount --make-rprivate /',
  'mount -t tmpfs netns /run/netns',
  'mount -t tmpfs lab /mnt',
  'cp /etc/hosts /mnt/hosts; mount --bind /mnt/hosts /etc/hosts',
  'touch /mnt/resolv.conf; mount --bind /mnt/resolv.conf /etc/resolv.conf',
  'ip link set lo up',
  'mkdir /mnt/work; cd /mnt/work',
  'exec "$0" "$@"',
].join('; ')

const why = obstacle()
if (why !== undefined) {
  console.log(`skipped: ${why}`)
  process.exit(0)
}
const main = fileURLToPath(new URL('../dist/test/net/main.js', import.meta.url))
const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc']
const child = spawn(
  'unshare',
  [...namespaces, 'sh', '-c', ENTER, process.execPath, main, ...process.argv.slice(2)],
  {
    // What runs inside ends when this pipe does.
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { ...process.env, SHOAL_NET_LAB: '1', TMPDIR: '/mnt/work' },
    // The terminal's Ctrl-C is for this process, which tells what runs inside.
    detached: true,
  },
)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => {
    child.stdin.end()
    process.exitCode = 128 + constants.signals[signal]
  })
child.once('exit', (status) => process.exit(process.exitCode ?? status ?? 1))

/** Why it cannot work here; undefined if it can. */
function obstacle() {
  if (process.platform !== 'linux') return 'it needs Linux'
  if (process.getuid() !== 0) return 'it needs root, for network namespaces'
  for (const [command, name] of Object.entries(TOOLS))
    if (!(has('apt-get') ? ensure(command, name) : has(command)))
      return `there is no ${command}, and it cannot be installed here: it is in Debian's package ${name}`
  if (!existsSync('/dev/net/tun'))
    return 'this kernel has no taps (/dev/net/tun), which the link shaper needs'
  mkdirSync('/run/netns', { recursive: true })
  if (spawnSync('unshare', ['--net', '--mount', '--pid', '--fork', 'true']).status !== 0)
    return 'this machine allows no namespaces'
  const rules = spawnSync('unshare', ['--net', 'nft', '-f', '-'], {
    input: 'table ip t { chain c { type nat hook postrouting priority srcnat; masquerade; }; }\n',
    encoding: 'utf8',
  })
  return rules.status === 0 ? undefined : `this kernel has no NAT for nftables: ${rules.stderr.trim()}`
}
