// A network of namespaces: hosts, LANs (bridges), an internet that routes between sites, routers that are NATs of a kind
// or plain, and links that are shaped or as good as the kernel's. Addresses are given in order and are the same in each
// run. Public ones (5.5.0.0/16, 6.6.0.0/16, 2a05::/16) are real addresses of others, since software treats those set
// aside for examples as unreachable; nothing leaves the lab, as its outermost namespace has no interface.
import fs from 'node:fs'
import type { Shape } from './link-model.js'
import { assertInside, command, Namespace } from './namespace.js'
import { firewallRules, type NatKind, natRules } from './nat.js'
import { type ShapedLink, Shaper } from './shaper.js'

/** A link seen from the end that was named first. */
export interface LinkShape {
  /** From there. */
  readonly forth: Shape
  /** To there; default: as forth. */
  readonly back?: Shape
}

/** A machine with a name and addresses. */
export class Host extends Namespace {
  readonly ipv4: string[] = []
  readonly ipv6: string[] = []

  /** The first address of a family. @throws Error if there is none */
  address(family: 4 | 6 = 4): string {
    const address = (family === 4 ? this.ipv4 : this.ipv6)[0]
    if (address === undefined) throw new Error(`${this.name} has no IPv${family} address`)
    return address
  }
}

/** A bridge and who is on it. */
export interface Lan {
  readonly bridge: Namespace
  /** "192.168.1", to which ".7" is added; undefined: no IPv4. */
  readonly ipv4: string | undefined
  /** "fd00:1::", to which "7" is added; undefined: no IPv6. */
  readonly ipv6: string | undefined
  readonly hosts: Host[]
  router: Router | undefined
}

export interface Router extends Host {
  /** To the internet; "forth" is up, "back" is down. */
  readonly wan: ShapedLink
}

export interface RouterOptions {
  /** 'none': LAN addresses are routed as they are. */
  readonly nat: NatKind | 'none'
  /** Whether LAN addresses of IPv6 are routed, behind a firewall that lets in only what answers. Default false. */
  readonly ipv6?: boolean
  /** Default: as good as the kernel's. */
  readonly link?: LinkShape
}

const FIRST_HOST = 10

export class Lab {
  readonly seed: number
  readonly #hosts = new Map<string, Namespace>()
  readonly #names = new Map<string, string[]>()
  #shaper: Shaper | undefined
  #internet: Namespace | undefined
  #sites = 0
  #ports = 0

  /** @param seed of what links lose */
  constructor(seed = 1) {
    assertInside()
    this.seed = seed
    this.#writeNames()
  }

  /** A machine without any interface but loopback. */
  host(name: string): Host {
    return this.#keep(new Host(name))
  }

  /** A LAN without hosts. Its subnets are of 24 and 64 bits. */
  lan(name: string, { ipv4, ipv6 }: { readonly ipv4?: string; readonly ipv6?: string } = {}): Lan {
    const bridge = this.#keep(new Namespace(`sw-${name}`))
    // A bridge that waits for others like it would be deaf at first.
    bridge.ip('link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0')
    bridge.ip('link', 'set', 'br0', 'up')
    return { bridge, ipv4, ipv6, hosts: [], router: undefined }
  }

  /**
   * Puts a host on a LAN.
   * @param link from the host to the LAN; default: the kernel's, no limit
   * @param device its interface; another one than "lan" gets addresses, but no routes beyond the LAN
   */
  async join(host: Host, lan: Lan, link?: LinkShape, device = 'lan'): Promise<ShapedLink | undefined> {
    const shaped = await this.#plug(host, lan, link, device)
    const number = FIRST_HOST + lan.hosts.length
    lan.hosts.push(host)
    if (lan.ipv4 !== undefined) this.#addAddress(host, device, `${lan.ipv4}.${number}`, 24)
    if (lan.ipv6 !== undefined) this.#addAddress(host, device, `${lan.ipv6}${number}`, 64)
    if (device === 'lan') this.#routeThrough(lan)
    return shaped
  }

  /** Puts a host into the internet, with public addresses, as its interface "wan". "forth" is up, "back" is down. */
  async publish(
    host: Host,
    {
      ipv4 = true,
      ipv6 = false,
      link = { forth: {} },
    }: { readonly ipv4?: boolean; readonly ipv6?: boolean; readonly link?: LinkShape } = {},
  ): Promise<ShapedLink> {
    const site = ++this.#sites
    const internet = this.internet()
    const shaped = await this.#link(host, 'wan', internet, `s${site}`, link)
    if (ipv4) {
      internet.ip('addr', 'add', `5.5.${site}.1/24`, 'dev', `s${site}`)
      this.#addAddress(host, 'wan', `5.5.${site}.2`, 24)
      host.ip('route', 'add', 'default', 'via', `5.5.${site}.1`)
    }
    if (ipv6) {
      internet.ip('-6', 'addr', 'add', `2a05:5:${site}::1/64`, 'dev', `s${site}`, 'nodad')
      this.#addAddress(host, 'wan', `2a05:5:${site}::2`, 64)
      host.ip('-6', 'route', 'add', 'default', 'via', `2a05:5:${site}::1`)
    }
    return shaped
  }

  /** Joins a LAN and the internet. */
  async router(
    name: string,
    lan: Lan,
    { nat, ipv6 = false, link = { forth: {} } }: RouterOptions,
  ): Promise<Router> {
    const host = this.host(`r-${name}`)
    host.set('net.ipv4.ip_forward', 1)
    if (ipv6) host.set('net.ipv6.conf.all.forwarding', 1)
    await this.#plug(host, lan)
    if (lan.ipv4 !== undefined) this.#addAddress(host, 'lan', `${lan.ipv4}.1`, 24)
    if (lan.ipv6 !== undefined) this.#addAddress(host, 'lan', `${lan.ipv6}1`, 64)
    // The first address of a router is that which it has outside.
    for (const list of [host.ipv4, host.ipv6]) list.length = 0
    const wan = await this.publish(host, { ipv4: lan.ipv4 !== undefined, ipv6, link })
    const internet = this.internet()
    if (nat === 'none' && lan.ipv4 !== undefined)
      internet.ip('route', 'add', `${lan.ipv4}.0/24`, 'via', host.address())
    else if (nat !== 'none') host.run('nft', ['-f', '-'], natRules(nat))
    if (ipv6 && lan.ipv6 !== undefined) {
      internet.ip('-6', 'route', 'add', `${lan.ipv6}/64`, 'via', host.address(6))
      if (nat !== 'none') host.run('nft', ['-f', '-'], firewallRules())
    }
    const router = Object.assign(host, { wan })
    lan.router = router
    this.#routeThrough(lan)
    return router
  }

  /** What routes between sites; made when first needed. */
  internet(): Namespace {
    if (this.#internet !== undefined) return this.#internet
    const internet = this.#keep(new Namespace('internet'))
    internet.set('net.ipv4.ip_forward', 1)
    internet.set('net.ipv6.conf.all.forwarding', 1)
    this.#internet = internet
    return internet
  }

  /** What a name means on all hosts from now on; no address: nothing. There is no DNS. */
  name(name: string, ...addresses: readonly string[]): void {
    this.#names.set(name, [...addresses])
    this.#writeNames()
  }

  /** Ends every process in the lab's namespaces, and removes those; its processes have none of their own elsewhere. */
  close(): void {
    this.#shaper?.close()
    for (const name of this.#hosts.keys()) {
      for (const pid of command('ip', ['netns', 'pids', name]).split('\n'))
        if (pid !== '') endProcess(Number(pid))
      command('ip', ['netns', 'del', name])
    }
    this.#hosts.clear()
  }

  #keep<T extends Namespace>(namespace: T): T {
    this.#hosts.set(namespace.name, namespace)
    return namespace
  }

  async #plug(host: Namespace, lan: Lan, link?: LinkShape, device = 'lan'): Promise<ShapedLink | undefined> {
    const port = `p${++this.#ports}`
    let shaped: ShapedLink | undefined
    if (link === undefined) {
      const peer = ['peer', 'name', port, 'netns', lan.bridge.name]
      command('ip', ['link', 'add', device, 'netns', host.name, 'type', 'veth', ...peer])
      host.ip('link', 'set', device, 'up')
      lan.bridge.ip('link', 'set', port, 'up')
    } else shaped = await this.#link(host, device, lan.bridge, port, link)
    lan.bridge.ip('link', 'set', port, 'master', 'br0')
    return shaped
  }

  async #link(
    a: Namespace,
    aName: string,
    b: Namespace,
    bName: string,
    { forth, back = forth }: LinkShape,
  ): Promise<ShapedLink> {
    this.#shaper ??= new Shaper()
    const seed = this.seed * 1000 + 2 * ++this.#ports
    const place = ({ path }: Namespace, name: string) => ({ namespace: path, interface: name })
    const link = await this.#shaper.open(place(a, aName), place(b, bName), forth, back, seed)
    a.ip('link', 'set', aName, 'up')
    b.ip('link', 'set', bName, 'up')
    return link
  }

  #addAddress(host: Host, device: string, address: string, bits: number): void {
    const isIpv6 = address.includes(':')
    host.ip('addr', 'add', `${address}/${bits}`, 'dev', device, ...(isIpv6 ? ['nodad'] : []))
    ;(isIpv6 ? host.ipv6 : host.ipv4).push(address)
  }

  #routeThrough({ router, hosts, ipv4, ipv6 }: Lan): void {
    if (router === undefined) return
    for (const host of hosts) {
      if (ipv4 !== undefined) host.ip('route', 'replace', 'default', 'via', `${ipv4}.1`)
      if (ipv6 !== undefined && router.ipv6.length > 0)
        host.ip('-6', 'route', 'replace', 'default', 'via', `${ipv6}1`)
    }
  }

  #writeNames(): void {
    const lines = [...this.#names].flatMap(([name, addresses]) => addresses.map((each) => `${each} ${name}`))
    fs.writeFileSync('/etc/hosts', ['127.0.0.1 localhost', '::1 localhost', ...lines, ''].join('\n'))
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ESRCH') throw err
  }
}
