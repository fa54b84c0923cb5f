// Two feeds announce one piece with different lengths: one of them lies, and whoever hears both cannot know which. The piece comes
// all the same where its true length is announced, and nobody honest is taken for a liar (P1).
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { eventually, type TestNode, type World, withWorld } from '../support/daemons.js'
import { keepsAll } from './blind-kit.js'
import { Intruder } from './intruder.js'

const CONTENTS = ['true content, twelve times over. '.repeat(12), 'and another, six times. '.repeat(6)]

/** A member whose feed announces the pieces of CONTENTS with another length, and that serves none; tells of them once `tell` is called. */
async function withLiar(
  world: World,
  target: TestNode,
  claims: (length: number) => number,
  body: (tell: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const directory = fs.mkdtempSync(path.join(world.root, 'liar-'))
  const liar = new Intruder({ directory, secret: world.secret, knownHosts: [`127.0.0.1:${target.port}`] })
  try {
    await body(async () => {
      const before = (await target.share()).head
      const lies = CONTENTS.map((content, i) => ({
        path: `lie ${i}`,
        content,
        claims: claims(content.length),
      }))
      const feed = await liar.feed(lies)
      await liar.start((peer) => {
        peer.sendCertificates([liar.certificate(liar.keys.write!.signingSecretKey)])
        feed.replicate(peer.stream)
      })
      await eventually('the lie is heard', async () => (await target.share()).head !== before)
    })
  } finally {
    await liar.stop()
  }
}

function writeAll(writer: TestNode): void {
  for (const [i, content] of CONTENTS.entries()) writer.write(`truth ${i}`, content)
}

async function arrives(node: TestNode, name: string, content: string): Promise<void> {
  await eventually(`${name} is at ${node.name}`, () => node.exists(name) && node.read(name) === content)
}

/** What a node that takes an honest one for a liar says, and what that one says then. */
function assertNobodyIsBlamed(...nodes: readonly TestNode[]): void {
  for (const { name, log } of nodes) {
    const blames = log.filter((line) => /wrong piece|broke the wire protocol/.test(line))
    assert.deepEqual(blames, [], name)
  }
}

for (const [how, claims] of [
  ['shorter', (length: number) => length - 40],
  ['longer', (length: number) => length + 40],
] as const)
  for (const order of ['before', 'after'] as const)
    describe(`a piece announced as ${how} than it is, ${order} its true length`, () => {
      it('comes to a reader', async () => {
        await withWorld({}, async (world) => {
          const writer = await world.node('writer', { knows: ['reader'] })
          const reader = await world.node('reader', { grade: 'read', knows: ['writer'] })
          await reader.start()
          await withLiar(world, reader, claims, async (tell) => {
            if (order === 'before') await tell()
            writeAll(writer)
            await writer.start()
            for (const [i, content] of CONTENTS.entries()) await arrives(reader, `truth ${i}`, content)
            if (order === 'after') await tell()
            writer.write('more', 'said after all that')
            await arrives(reader, 'more', 'said after all that')
            assertNobodyIsBlamed(writer, reader)
          })
        })
      })

      it('comes to a blind node, and from there to a reader', async () => {
        await withWorld({}, async (world) => {
          const writer = await world.node('writer', { knows: ['blind'] })
          const blind = await world.node('blind', { grade: 'blind', knows: ['writer', 'reader'] })
          const reader = await world.node('reader', { grade: 'read', knows: ['blind'] })
          await blind.start()
          await withLiar(world, blind, claims, async (tell) => {
            if (order === 'before') await tell()
            writeAll(writer)
            await writer.start()
            await keepsAll(blind, writer)
            if (order === 'after') await tell()
            writer.write('more', 'said after all that')
            await keepsAll(blind, writer)
            const { missingPieces, missingBytes } = (await blind.share()).blind!
            assert.deepEqual([missingPieces, missingBytes], [0, 0])
            await writer.stop()
            await reader.start()
            for (const [i, content] of CONTENTS.entries()) await arrives(reader, `truth ${i}`, content)
            await arrives(reader, 'more', 'said after all that')
            assertNobodyIsBlamed(writer, blind, reader)
          })
        })
      })
    })
