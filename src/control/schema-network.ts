// What the daemon tells of how it can be reached: a part of the status.
import { z } from 'zod'
import { count } from './schema-parts.js'

export interface NetworkReport {
  /** The IP address it listens on; null: all. */
  readonly listenHost: string | null
  /** TCP. */
  readonly port: number
  readonly mapping: MappingReport
  /** Addresses told to members beside what connections show; `host` null: the one as which each of them sees this device. */
  readonly told: readonly { readonly host: string | null; readonly port: number }[]
  /** As whom connected members see this device, most first. */
  readonly seenAs: readonly { readonly host: string; readonly devices: number }[]
  /** To so many devices TCP carries nothing large now, and other ways go before it; older daemons do not say. */
  readonly stoodStill?: number | undefined
  readonly dht: DhtReport
  /** Through which others are reached; absent: directly, or the daemon is older. */
  readonly proxy?: ProxyReport | undefined
}

export interface ProxyReport {
  /** "SOCKS5 proxy 192.0.2.1:1080". */
  readonly name: string
  /** What is wrong with it, as of the last time that something was asked of it; null: nothing is known to be. */
  readonly problem: string | null
  /** Whether it has answered since it last failed, if ever. */
  readonly hasAnswered: boolean
}

/** The port that a router opens (`use_upnp`). */
export interface MappingReport {
  readonly state: 'off' | 'asking' | 'mapped' | 'failed'
  /** IP address of the router; null: none is known. */
  readonly gateway: string | null
  readonly via: 'pcp' | 'natpmp' | 'upnp' | null
  /** What the router calls its own address, and the port there; null unless 'mapped', the host also if it does not tell. */
  readonly externalHost: string | null
  readonly externalPort: number | null
  /** Why not; null unless 'failed'. */
  readonly reason: string | null
}

export interface DhtReport {
  /** Whose nodes are asked. */
  readonly use: 'none' | 'own' | 'public'
  /** That answer. */
  readonly nodes: number
  /** This device's address as they see it, null: not known, or they differ; its UDP port, null: the same. */
  readonly host: string | null
  readonly port: number | null
  /** 'open': can be reached unasked; 'consistent': hole punching works; 'symmetric': another port for each other end. */
  readonly nat: 'unknown' | 'open' | 'consistent' | 'symmetric'
}

export const networkReport: z.ZodType<NetworkReport> = z.looseObject({
  listenHost: z.string().nullable(),
  port: count,
  mapping: z.looseObject({
    state: z.enum(['off', 'asking', 'mapped', 'failed']),
    gateway: z.string().nullable(),
    via: z.enum(['pcp', 'natpmp', 'upnp']).nullable(),
    externalHost: z.string().nullable(),
    externalPort: count.nullable(),
    reason: z.string().nullable(),
  }),
  told: z.array(z.looseObject({ host: z.string().nullable(), port: count })),
  seenAs: z.array(z.looseObject({ host: z.string(), devices: count })),
  stoodStill: count.optional(),
  dht: z.looseObject({
    use: z.enum(['none', 'own', 'public']),
    nodes: count,
    host: z.string().nullable(),
    port: count.nullable(),
    nat: z.enum(['unknown', 'open', 'consistent', 'symmetric']),
  }),
  proxy: z
    .looseObject({ name: z.string(), problem: z.string().nullable(), hasAnswered: z.boolean() })
    .optional(),
})
