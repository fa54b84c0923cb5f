import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inGroups } from '../../../src/daemon/blind/groups.js'

async function all<T>(groups: AsyncIterable<readonly T[]>): Promise<(readonly T[])[]> {
  const list: (readonly T[])[] = []
  for await (const group of groups) list.push(group)
  return list
}

async function* upTo(count: number, then?: () => Promise<never>): AsyncGenerator<number> {
  for (let i = 0; i < count; i++) yield i
  await then?.()
}

const never = (): Promise<never> => new Promise(() => undefined)

describe('things taken in groups', () => {
  it('come in order, first few and then more together', async () => {
    const sizes = (await all(inGroups(upTo(20), 1, 4, 10_000))).map(({ length }) => length)
    assert.deepEqual(sizes, [1, 2, 4, 4, 4, 4, 1])
    assert.deepEqual((await all(inGroups(upTo(20), 1, 4, 10_000))).flat(), [...Array(20).keys()])
    assert.deepEqual(await all(inGroups(upTo(0), 1, 4, 10_000)), [])
  })

  it('do not wait for one that does not come', async () => {
    const groups = inGroups(upTo(5, never), 4, 4, 1)
    assert.deepEqual((await groups.next()).value, [0, 1, 2, 3])
    assert.deepEqual((await groups.next()).value, [4])
    // Left while the next is under way, which never comes.
  })

  it('come before the failure of what follows', async () => {
    const groups = inGroups(
      upTo(3, () => Promise.reject(new Error('lost'))),
      4,
      4,
      10_000,
    )
    assert.deepEqual((await groups.next()).value, [0, 1, 2])
    await assert.rejects(groups.next(), /lost/)
  })

  it('need not be taken to the end', async () => {
    for await (const group of inGroups(upTo(5, never), 5, 5, 1)) {
      assert.equal(group.length, 5)
      break
    }
  })
})
