// Several writers link and unlink the same names at once, hear of each other in any order, and see to it that the names of
// one file are of one group: it comes to rest, and then all are of one mind and every disk is as the share says.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Entry, type FileEntry, NO_EXTRA } from '../../src/core/entry.js'
import { ABSENT, type FileFact, factOf } from '../../src/core/fact.js'
import type { WriterId } from '../../src/core/ids.js'
import {
  groupOf,
  inGroup,
  leastGroup,
  newGroup,
  observedGroup,
  statedGroup,
} from '../../src/core/link-group.js'
import { type Heads, mergeEntry, NO_HEADS, viewOf } from '../../src/core/merge.js'
import type { RelPath } from '../../src/core/path.js'
import { advance, joinVersions, NO_VERSION, type Version } from '../../src/core/version.js'
import { Random } from '../sim/random.js'
import { path, writer } from '../support/arbitraries.js'

const SEEDS = 400
const NAMES: readonly RelPath[] = ['a', 'b', 'c', 'd', 'e'].map(path)
const CONTENT = Buffer.alloc(32, 1)
const FACT: FileFact = { type: 'file', mode: 0o644, mtimeUs: 1, size: 1, content: CONTENT, extra: NO_EXTRA }

/** A writer with a disk that holds the same content under every name. */
class Node {
  readonly id: WriterId
  readonly heads = new Map<RelPath, Heads>()
  readonly applied = new Map<RelPath, { version: Version; fact: FileFact }>()
  readonly inodes = new Map<RelPath, number>()
  /** Entries of its own that others have not heard of. */
  readonly said: Entry[] = []
  #counter = 0
  #inode: number

  constructor(n: number) {
    this.id = writer(n)
    this.#inode = n * 1000
    for (const name of NAMES) {
      this.inodes.set(name, ++this.#inode)
      this.applied.set(name, { version: NO_VERSION, fact: FACT })
    }
  }

  others(name: RelPath): RelPath[] {
    return NAMES.filter((other) => other !== name && this.inodes.get(other) === this.inodes.get(name))
  }

  /** ln -f, or cp --remove-destination without `to`; then a look at all that changed. */
  link(name: RelPath, to?: RelPath): void {
    const was = this.inodes.get(name)!
    const group = groupOf(this.applied.get(name)!.fact)
    const wasLinked = this.others(name).some((other) =>
      groupOf(this.applied.get(other)!.fact)?.equals(group ?? CONTENT),
    )
    this.inodes.set(name, to === undefined ? ++this.#inode : this.inodes.get(to)!)
    if (this.inodes.get(name) === was) return
    for (const each of to === undefined ? [name] : [name, to])
      this.#look(each, each !== name, each === name && wasLinked)
  }

  #look(name: RelPath, isSameInode: boolean, wasLinked: boolean): void {
    const { fact } = this.applied.get(name)!
    const siblings = this.others(name).map((other) => statedGroup(this.applied.get(other)!.fact.extra))
    const group = observedGroup({
      path: name,
      observed: fact,
      ino: this.inodes.get(name)!,
      nlink: 1 + siblings.length,
      held: fact,
      isSameInode,
      intents: [],
      share: viewOf(this.heads.get(name) ?? NO_HEADS).winner === undefined ? ABSENT : this.wish(name),
      siblings,
      wasLinked,
      states: true,
    })
    const now = inGroup(fact, group)
    if (group === undefined || (statedGroup(fact.extra)?.equals(group) ?? false)) return
    this.#say(name, now)
  }

  #say(name: RelPath, fact: FileFact): void {
    const version = advance(this.applied.get(name)!.version, this.id, ++this.#counter)
    const entry: FileEntry = { ...fact, path: name, version, author: this.id, origin: this.id, pieces: [] }
    this.said.push(entry)
    this.hear(entry)
    this.applied.set(name, { version, fact })
  }

  hear(entry: Entry): void {
    this.heads.set(entry.path, mergeEntry(this.heads.get(entry.path) ?? NO_HEADS, entry))
  }

  wish(name: RelPath): FileFact {
    const { winner } = viewOf(this.heads.get(name) ?? NO_HEADS)
    return winner?.type === 'file' ? (factOf(winner) as FileFact) : FACT
  }

  isWanted(name: RelPath): boolean {
    const want = statedGroup(this.wish(name).extra)
    const has = statedGroup(this.applied.get(name)!.fact.extra)
    return want === undefined ? has !== undefined : has === undefined || !want.equals(has)
  }

  /** Brings the disk to what the share says of a name. */
  apply(name: RelPath): void {
    const { version } = viewOf(this.heads.get(name) ?? NO_HEADS)
    const fact = this.wish(name)
    const group = groupOf(fact)
    const source = NAMES.find(
      (other) =>
        other !== name &&
        !this.isWanted(other) &&
        group !== undefined &&
        groupOf(this.wish(other))?.equals(group),
    )
    if (source !== undefined) this.inodes.set(name, this.inodes.get(source)!)
    else if (statedGroup(fact.extra)?.length === 0 && this.others(name).length > 0)
      this.inodes.set(name, ++this.#inode)
    this.applied.set(name, { version: joinVersions(version, this.applied.get(name)!.version), fact })
  }

  /** As LinkKeeper does; returns whether it said anything. */
  unify(name: RelPath): boolean {
    const current = [name, ...this.others(name)].filter((each) => !this.isWanted(each))
    if (current.length < 2) return false
    const groups = current.map((each) => groupOf(this.applied.get(each)!.fact))
    const group =
      leastGroup(groups.filter((each) => each !== undefined)) ??
      newGroup(name, this.inodes.get(name)!, CONTENT)
    let didSay = false
    for (const [i, each] of current.entries()) {
      if (groups[i]?.equals(group)) continue
      this.#say(each, inGroup(this.applied.get(each)!.fact, group))
      didSay = true
    }
    return didSay
  }

  /** Which names are one file. */
  get partition(): string {
    return NAMES.map((name) =>
      NAMES.findIndex((other) => this.inodes.get(other) === this.inodes.get(name)),
    ).join()
  }
}

test('writers who link at once come to rest, and to one mind', () => {
  let longest = 0
  let linked = 0
  for (let seed = 0; seed < SEEDS; seed++) {
    const random = new Random(seed)
    const nodes = Array.from({ length: 2 + random.below(3) }, (_, n) => new Node(n + 1))
    const inbox = new Map<Node, Entry[]>(nodes.map((node) => [node, []]))
    const spread = (): void => {
      for (const node of nodes)
        for (const entry of node.said.splice(0))
          for (const other of nodes) if (other !== node) inbox.get(other)!.push(entry)
    }
    let actions = 3 + random.below(10)
    let said = 0
    for (let step = 0; ; step++) {
      assert.ok(step < 20_000, `seed ${seed} does not come to rest`)
      const node = random.pick(nodes)!
      if (actions > 0 && random.chance(0.2)) {
        actions--
        const name = random.pick(NAMES)!
        const to = random.pick(NAMES.filter((other) => other !== name))
        // Nobody touches what is about to be changed under his hands: that would be another history.
        if (node.isWanted(name) || (to !== undefined && node.isWanted(to))) continue
        node.link(name, random.chance(0.7) ? to : undefined)
        spread()
        continue
      }
      const mail = inbox.get(node)!
      // In the order of each feed, as feeds are read; the writers in any order.
      const next = mail.findIndex((entry) => entry.author === random.pick(mail)?.author)
      if (next >= 0 && random.chance(0.5)) node.hear(mail.splice(next, 1)[0]!)
      const wanted = NAMES.filter((name) => node.isWanted(name))
      if (wanted.length > 0 && random.chance(0.7)) node.apply(random.pick(wanted)!)
      else if (random.chance(0.5) && node.unify(random.pick(NAMES)!)) said++
      spread()
      const isQuiet = nodes.every(
        (each) => inbox.get(each)!.length === 0 && NAMES.every((name) => !each.isWanted(name)),
      )
      if (actions > 0 || !isQuiet) continue
      if (nodes.some((each) => NAMES.some((name) => each.unify(name)))) {
        said++
        spread()
        continue
      }
      break
    }
    longest = Math.max(longest, said)
    for (const node of nodes) {
      assert.equal(node.partition, nodes[0]!.partition, `seed ${seed}`)
      for (const name of NAMES) {
        assert.deepEqual(node.wish(name), nodes[0]!.wish(name), `seed ${seed}, ${name}`)
        if (node.others(name).length > 0) linked++
      }
    }
  }
  assert.ok(linked > SEEDS, 'names are linked in the end')
  assert.ok(longest < 60, `${longest} repairs in one history`)
})
