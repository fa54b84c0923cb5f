// Two ends of a Noise connection over loopback, of ours or of the library, with somebody in between who may change what goes through.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type NoiseSecretStream from '@hyperswarm/secret-stream'

export type Kind = typeof NoiseSecretStream

export interface ConnectedOptions {
  /** What goes from the first end to the second one, with how much went before. */
  readonly meddle?: (bytes: Buffer, before: number) => Buffer
}

export async function connected(
  t: TestContext,
  First: Kind,
  Second: Kind,
  { meddle }: ConnectedOptions = {},
): Promise<[NoiseSecretStream, NoiseSecretStream]> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  let { port } = server.address() as { port: number }
  const toClose: { close(): void }[] = [server]
  if (meddle !== undefined) {
    const target = port
    const middle = createServer((from) => through(from, connect(target, '127.0.0.1'), meddle))
    middle.listen(0, '127.0.0.1')
    await once(middle, 'listening')
    port = (middle.address() as { port: number }).port
    toClose.push(middle)
  }
  const dialled = connect(port, '127.0.0.1')
  const [accepted] = (await once(server, 'connection')) as [Socket]
  const ends: [NoiseSecretStream, NoiseSecretStream] = [new First(true, dialled), new Second(false, accepted)]
  for (const end of ends) end.on('error', () => undefined)
  t.after(() => {
    for (const end of ends) end.destroy()
    for (const each of toClose) each.close()
  })
  await Promise.all(ends.map((end) => end.opened))
  return ends
}

function through(from: Socket, to: Socket, meddle: (bytes: Buffer, before: number) => Buffer): void {
  let before = 0
  from.on('data', (bytes: Buffer) => {
    to.write(meddle(bytes, before))
    before += bytes.length
  })
  to.on('data', (bytes: Buffer) => from.write(bytes))
  for (const [one, other] of [
    [from, to],
    [to, from],
  ] as const) {
    one.on('error', () => undefined)
    one.on('close', () => other.destroy())
  }
}
