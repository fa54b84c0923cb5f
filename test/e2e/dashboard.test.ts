// The dashboard in a real terminal, over real daemons: what it shows, and that what it is told to do is done on the disks.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { describe, it } from 'node:test'
import { commandArgs } from '../support/command.js'
import { converged, eventually, type TestNode, withWorld } from '../support/daemons.js'
import { NO_TMUX, Terminal } from '../support/tmux.js'

function open(nodes: readonly TestNode[], columns: number, rows: number): Promise<Terminal> {
  const files = nodes.map(({ configFile }) => configFile)
  return Terminal.open({
    columns,
    rows,
    command: [process.execPath, ...commandArgs(['dashboard', ...files])],
  })
}

describe('shoal dashboard', () => {
  it('settles a conflict and puts drift back, in a terminal that is made smaller meanwhile', {
    skip: NO_TMUX ?? false,
  }, async () => {
    await withWorld({}, async (world) => {
      const [laptop, phone, server] = (await world.start(['laptop', 'phone', 'server'], (name) => ({
        grade: name === 'server' ? 'read' : 'write',
        configName: `${name}.conf`,
      }))) as [TestNode, TestNode, TestNode]
      laptop.write('plan.md', 'plan\n')
      await converged([laptop, phone, server])
      await phone.stop()
      laptop.write('plan.md', 'by boat\n')
      await laptop.client.settle()
      fs.writeFileSync(phone.at('plan.md'), 'by train, later\n')
      await phone.start()
      const [conflict] = await eventually('the conflict', async () => {
        const all = await laptop.client.conflicts()
        return all.length === 1 && all[0]!.kept !== null ? all : undefined
      })
      await converged([laptop, phone, server])
      fs.writeFileSync(server.at('own.txt'), 'extra\n')
      fs.appendFileSync(server.at('plan.md'), 'by bicycle\n')
      await eventually('drift', async () => (await server.share()).drift === 2)

      const terminal = await open([laptop, server], 80, 24)
      try {
        await terminal.shows(/laptop:share +idle[\s\S]*server:share/)
        await terminal.press('2')
        await terminal.shows(/▸ [\s\S]*phone +laptop:\S+ +in sync/)
        await terminal.resize(60, 18)
        await terminal.press('6')
        const small = await terminal.shows(/THIS, at the path +│ OTHER, in the copy/)
        assert.equal(small.length, 18)
        assert.match(small[17]!, /\? help +q quit/)
        await terminal.press('o')
        await terminal.shows(/Keep other of plan\.md\?/)
        const other = laptop.read(conflict!.copy)
        await terminal.press('y')
        await eventually('the other version', async () => laptop.read('plan.md') === other)
        await eventually('no conflict', async () => (await laptop.share()).conflicts === 0)
        await converged([laptop, phone])

        await terminal.resize(80, 24)
        await terminal.press('7')
        await terminal.type('/own')
        await terminal.press('Enter')
        await terminal.shows(/▸ own\.txt/)
        await terminal.press('x')
        await terminal.shows(/Move own\.txt to the archive\?/)
        await terminal.press('y')
        await terminal.shows(/own\.txt is in the archive/)
        await eventually('the archive', async () => !server.exists('own.txt'))
        await terminal.press('Escape')
        // Escape and a letter at once would be another key to a terminal.
        await terminal.shows(/no drift|▸ plan\.md/)
        // What was newer came over the change; else it is put back by hand.
        if ((await server.share()).drift > 0) {
          await terminal.shows(/▸ plan\.md/)
          await terminal.press('r')
          await terminal.shows(/Put plan\.md back\?/)
          await terminal.press('y')
          await terminal.shows(/plan\.md is as the share says/)
        }
        await eventually('what the share says', async () => server.read('plan.md') === other)
        // Pressed again if it came so soon after Escape that the two were another key.
        const hasEnded = async (): Promise<boolean> => {
          if ((await terminal.exit()) === 0) return true
          await terminal.press('q')
          return false
        }
        assert.equal(await eventually('the end', hasEnded), true)
      } finally {
        await terminal.close()
      }

      // Drift that nothing newer comes over is put back only on a word, and what was there is kept.
      fs.writeFileSync(server.at('plan.md'), 'mine\n')
      await eventually('drift again', async () => (await server.share()).drift === 1)
      const { restored, left } = await server.client.restoreDrift({ share: 0, paths: ['plan.md', 'none'] })
      assert.deepEqual([restored.length, left], [1, []])
      assert.equal(server.read(restored[0]!.to!), 'mine\n')
      assert.equal(server.read('plan.md'), laptop.read('plan.md'))
      assert.equal((await server.share()).drift, 0)

      // Without a terminal it is text.
      const { exit, out } = await world.run(['dashboard', laptop.configFile, server.configFile])
      assert.equal(exit, 0)
      assert.match(out, /Share \S+laptop\/share of laptop: idle/)
      assert.match(out, /server, read: in sync, tcp 127\.0\.0\.1:\d+/)
      assert.doesNotMatch(out, /\p{Cc}(?<!\n)/u)
    })
  })
})
