// What a relay measures, for Prometheus: GET /metrics on an address of its own. prom-client is loaded with this file, so
// only where it is asked for.
import { createServer, type Server } from 'node:http'
import { Counter, Gauge, Registry } from 'prom-client'
import { ShoalError } from '../core/error.js'
import type { Log } from '../ports/log.js'
import type { Endpoint } from '../swarm/endpoint.js'
import type { RelayFacts } from './relay.js'

export interface MetricsServer {
  readonly address: Endpoint
  close(): Promise<void>
}

/** Everything a relay tells, in Prometheus' text format. */
export async function exposeRelay(
  facts: RelayFacts & { readonly heldBytes: number },
): Promise<{ readonly text: string; readonly contentType: string }> {
  const registry = new Registry()
  const registers = [registry]
  const gauge = (name: string, help: string, value: number): void =>
    new Gauge({ name, help, registers }).set(value)
  const counter = (name: string, help: string, value: number): void =>
    new Counter({ name, help, registers }).inc(value)
  gauge('shoal_relay_connections', 'Connections now, of every kind', facts.connections)
  gauge(
    'shoal_relay_waiting',
    'Connections that have proved nothing yet, or wait for the other',
    facts.waiting,
  )
  gauge('shoal_relay_nodes', 'Nodes that are here, able to call and be called', facts.nodes)
  gauge('shoal_relay_shares', 'Relay passes that somebody is here under', facts.passes)
  gauge('shoal_relay_pairs', 'Pairs of nodes joined now', facts.pairs)
  gauge('shoal_relay_held_bytes', 'Bytes read and not sent yet, of all pairs', facts.heldBytes)
  counter('shoal_relay_forwarded_bytes_total', 'Bytes forwarded, both ways', facts.bytes)
  counter('shoal_relay_joined_total', 'Pairs of nodes joined', facts.joined)
  counter('shoal_relay_arrived_total', 'Connections taken in', facts.arrived)
  const ended = new Counter({
    name: 'shoal_relay_ended_total',
    help: 'Connections that the relay has ended or not taken in',
    labelNames: ['why'],
    registers,
  })
  for (const [why, count] of facts.ended) ended.inc({ why }, count)
  return { text: await registry.metrics(), contentType: registry.contentType }
}

/** Serves them. @throws ShoalError PORT_IN_USE, IO */
export async function serveMetrics(
  listen: Endpoint,
  facts: () => RelayFacts & { readonly heldBytes: number },
  log: Log,
): Promise<MetricsServer> {
  // Small and short: whoever is slow, or many, is not a scraper.
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 5_000 }, (request, response) => {
    if (request.url !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('metrics are at /metrics\n')
      return
    }
    exposeRelay(facts()).then(
      ({ text, contentType }) => response.writeHead(200, { 'content-type': contentType }).end(text),
      (thrown: unknown) => response.writeHead(500).end(`${String(thrown)}\n`),
    )
  })
  server.maxConnections = 32
  const port = await listening(server, listen, log)
  return {
    address: { host: listen.host, port },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listening(server: Server, { host, port }: Endpoint, log: Log): Promise<number> {
  return new Promise((resolve, reject) => {
    const refused = (cause: NodeJS.ErrnoException): void => {
      const isTaken = cause.code === 'EADDRINUSE'
      const why = isTaken ? 'it is in use' : cause.message
      const message = `cannot serve metrics on ${host} port ${port}: ${why}`
      reject(new ShoalError(isTaken ? 'PORT_IN_USE' : 'IO', message, { cause }))
    }
    server.once('error', refused)
    server.listen({ host, port }, () => {
      server.off('error', refused)
      // An accept that failed, for want of descriptors say, costs that connection and not the relay.
      server.on('error', (err) => log.warn({ err }, 'cannot take a connection to the metrics'))
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
