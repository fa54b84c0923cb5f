// What makes a router with nftables a NAT of a kind (RFC 4787, and RFC 3489 for the names). Pure: a kind, in; a ruleset
// for `nft -f`, out. Linux by itself keeps the port of a flow where it can, so all flows of a socket are mapped alike,
// and lets in only answers of whom that flow went to: a port-restricted cone. The other kinds differ from that.
//
//   kind                 mapping                          filtering
//   full-cone            endpoint-independent             endpoint-independent
//   address-restricted   endpoint-independent             address-dependent
//   port-restricted      endpoint-independent             address and port-dependent
//   symmetric            address and port-dependent       address and port-dependent
//
// Of UDP; TCP is let in by nobody's flow but its own, as home routers do. A cone keeps the port of the first host that
// uses it: two hosts behind one with the same port are told apart by Linux, but the second is not reachable by others.

export const NAT_KINDS = ['full-cone', 'address-restricted', 'port-restricted', 'symmetric'] as const
export type NatKind = (typeof NAT_KINDS)[number]

/** How long a mapping of UDP lives without a packet (RFC 4787, REQ-5: two minutes at least). */
export const UDP_MAPPING_S = 120

/** The ruleset of a router whose interfaces are called "wan" and "lan". */
export function natRules(kind: NatKind): string {
  const isCone = kind === 'full-cone' || kind === 'address-restricted'
  const remembered = `timeout ${UDP_MAPPING_S}s`
  return [
    'table ip shoalnat {',
    ...(isCone
      ? [
          // From the port outside to who uses it within: both are the same port, as Linux keeps it.
          `  map inside { type inet_service : ipv4_addr; flags dynamic,timeout; ${remembered}; }`,
          `  set written { type inet_service . ipv4_addr; flags dynamic,timeout; ${remembered}; }`,
        ]
      : []),
    '  chain prerouting {',
    '    type nat hook prerouting priority dstnat;',
    ...(kind === 'full-cone' ? ['    iifname "wan" meta l4proto udp dnat to udp dport map @inside'] : []),
    ...(kind === 'address-restricted'
      ? ['    iifname "wan" udp dport . ip saddr @written dnat to udp dport map @inside']
      : []),
    '  }',
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat;',
    `    oifname "wan" masquerade${kind === 'symmetric' ? ' fully-random' : ''}`,
    '  }',
    '  chain forward {',
    '    type filter hook forward priority filter; policy drop;',
    ...(isCone
      ? [
          '    iifname "lan" oifname "wan" meta l4proto udp update @inside { udp sport : ip saddr }',
          '    iifname "lan" oifname "wan" meta l4proto udp update @written { udp sport . ip daddr }',
        ]
      : []),
    '    iifname "lan" accept',
    '    ct state established,related accept',
    '    ct status dnat accept',
    '  }',
    '  chain input {',
    // What nobody asked for is not answered: a refusal would make a flow of it, and take its port.
    '    type filter hook input priority filter; policy accept;',
    '    iifname "wan" ct state new ip protocol != icmp drop',
    '  }',
    '}',
    '',
  ].join('\n')
}

/** The ruleset of a router that is a firewall for IPv6: out freely, in only what answers. */
export function firewallRules(): string {
  return [
    'table ip6 shoalwall {',
    '  chain forward {',
    '    type filter hook forward priority filter; policy drop;',
    '    iifname "lan" accept',
    '    ct state established,related accept',
    '    meta l4proto ipv6-icmp accept',
    '  }',
    '}',
    '',
  ].join('\n')
}
