// Whether the public DHT may be asked: only where a configuration uses the DHT and names no nodes of its own, and never
// where whoever runs the machine has said no. It belongs to others, who see there which device keys look for which topics,
// and from where; no name, content or secret.

/** Nodes of a DHT as "host:port", or the public one; an empty list: none. */
export type Bootstrap<Node = string> = readonly Node[] | 'public'

/** Set to "off": no process asks the public DHT, whatever its configuration says. */
export const PUBLIC_DHT_VARIABLE = 'SHOAL_PUBLIC_DHT'

export function isPublicDhtAllowed(env: NodeJS.ProcessEnv): boolean {
  return env[PUBLIC_DHT_VARIABLE] !== 'off'
}

/** Nodes of one's own, each read by `read`, or the public ones. */
export function bootstrapOf<Node>(bootstrap: Bootstrap, read: (text: string) => Node): Bootstrap<Node> {
  return bootstrap === 'public' ? bootstrap : bootstrap.map(read)
}
