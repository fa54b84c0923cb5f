// A simulated history: two to four devices, their users, a network that parts and heals, crashes between any two steps,
// one virtual clock and one seed. Afterwards everything heals and runs until quiet, and the verdict is given.
import type { WriterId } from '../../src/core/ids.js'
import type { PieceInfo } from '../../src/core/piece.js'
import type { Ledger } from './disk.js'
import { Accounts, keyOf } from './ledger.js'
import { type SimFeed, SimNode, type Surroundings, type Work, type WorkName } from './node.js'
import { Observer } from './observer.js'
import { Random } from './random.js'
import type { Rules } from './rules.js'
import { User } from './user.js'
import { factsOf, verdictOf } from './verdict.js'
import { BARE, userDresses, wardrobeOf } from './wardrobe.js'

export interface HistoryOptions {
  readonly seed: number
  readonly rules: Rules
  /** Writers make checkpoints, others begin there, and a blind node drops what it may; hours pass more often. */
  readonly checkpoints?: boolean
  /** Collects what happens, for people. */
  readonly verbose?: boolean
}

export interface Outcome {
  readonly seed: number
  /** What went wrong, in words; empty if nothing did. */
  readonly faults: readonly string[]
  /** What happened, if it was asked for. */
  readonly events: readonly string[]
  readonly steps: number
  /** Pieces that the blind node dropped. */
  readonly dropped: number
}

/** Names of devices; the first ones write. */
const NAMES = ['ann', 'bob', 'cyd', 'dan']
const START_US = 1_700_000_000_000_000
/** Rounds of everybody doing everything until quiet; a conflict copy of a conflict copy takes some. */
const MAX_ROUNDS = 40

export function runHistory(options: HistoryOptions): Outcome {
  const world = new World(options)
  return world.run()
}

export class World implements Surroundings {
  readonly random: Random
  /** Of its own, so that a seed's history is otherwise the same. */
  readonly #pruning: Random
  /** The same, for metadata; undefined in histories without. */
  readonly #dressing: Random | undefined
  /** The same, for checkpoints and what follows from them. */
  readonly #pointing: Random | undefined
  readonly #observer: Observer | undefined
  readonly nodes: readonly SimNode[]
  readonly accounts: Accounts = new Accounts()
  readonly #seed: number
  readonly #faults: string[] = []
  readonly #events: string[] = []
  readonly #verbose: boolean
  readonly #feeds: SimFeed[] = []
  readonly #users: { readonly node: SimNode; readonly user: User; work: Work | undefined }[] = []
  readonly #labels = new Map<WriterId, string>()
  /** Only the first device's user does anything: then all must end as that disk is, conflict copies and all else aside. */
  readonly isSolo: boolean
  /** Most of what users do is to rename, and little at a time, so that the names are known elsewhere. */
  readonly isMoving: boolean
  /** Pairs that cannot reach each other. */
  #parted = new Set<string>()
  #nowUs = START_US
  #chunks = 0
  #steps = 0

  constructor({ seed, rules, checkpoints = false, verbose = false }: HistoryOptions) {
    this.#seed = seed
    this.#verbose = verbose
    this.random = new Random(seed)
    this.#pruning = new Random(seed + 0x51ed270b)
    const dressing = new Random(seed + 0x2d83cdac)
    this.#dressing = dressing.chance(0.4) ? dressing : undefined
    this.#pointing = checkpoints ? new Random(seed + 0x1b56c4e9) : undefined
    const count = 2 + this.random.below(3)
    const readers = count > 2 && this.random.chance(0.5) ? 1 : 0
    const archives = this.random.chance(0.7)
    this.isSolo = this.random.chance(0.15)
    this.isMoving = seed % 7 === 0 || seed % 7 === 4
    const encodes = this.random.chance(0.05)
    this.nodes = NAMES.slice(0, count).map((name, i) => {
      const isWriter = i < count - readers
      const ledger: Ledger = {
        written: (path, bytes) => {
          if (isWriter) this.accounts.written(path, bytes)
          this.log(node, () => `  (${keyOf(bytes)} is at ${path})`)
        },
        destroyed: (path, bytes) => {
          if (isWriter) this.accounts.destroyed(path, bytes)
          this.log(node, () => `  (${keyOf(bytes)} is gone from ${path})`)
        },
        moved: (from, to, bytes) => {
          if (isWriter) this.accounts.moved(from, to, bytes)
          this.log(node, () => `  (${keyOf(bytes)} was taken along from ${from} to ${to})`)
        },
      }
      const skewUs = this.random.chance(0.5) ? 0 : (this.random.below(7200) - 3600) * 1e6
      const overwritesDrift = this.random.chance(0.5)
      const wardrobe = this.#dressing === undefined ? BARE : wardrobeOf(this.#dressing, i)
      const node: SimNode = new SimNode(
        { name, isWriter, archives, encodes, overwritesDrift, skewUs, rules, wardrobe },
        this,
        ledger,
        i,
      )
      if (node.feed !== undefined) {
        this.#feeds.push(node.feed)
        this.#labels.set(node.feed.writer, name)
      }
      this.#users.push({ node, user: new User(node, () => ++this.#chunks), work: undefined })
      return node
    })
    this.#observer =
      this.#pointing === undefined ? undefined : new Observer(this.#feeds, this.#pointing, rules)
    for (const node of this.nodes) node.start()
  }

  nowUs(): number {
    return this.#nowUs
  }

  feeds(): readonly SimFeed[] {
    return this.#feeds
  }

  labelOf(writer: WriterId): string {
    return this.#labels.get(writer) ?? writer
  }

  canFetch(node: SimNode, piece: PieceInfo): boolean {
    return this.nodes.some((other) => other.isUp && this.#canReach(node, other) && other.holds(piece))
  }

  violation(node: SimNode, what: string): void {
    this.#faults.push(`${node.options.name} ${what}`)
    this.log(node, () => `FAULT ${what}`)
  }

  log(node: SimNode, what: () => string): void {
    if (this.#verbose) this.#events.push(`${String(this.#steps).padStart(5)} ${node.options.name}: ${what()}`)
  }

  run(): Outcome {
    const operations = 4 + this.random.below(28)
    const calm = this.random.next()
    const prunes = this.#pruning.chance(0.3)
    for (let left = operations; left > 0; ) {
      this.#tick()
      if (this.random.chance((0.06 + calm * 0.12) * (this.isMoving ? 0.4 : 1))) {
        this.#userSteps()
        left--
      } else this.#agentSteps()
      if (this.random.chance(0.02)) this.#part()
      if (this.random.chance(0.015)) this.#trouble()
      if (prunes && this.#pruning.chance(0.05)) this.#prune()
      if (this.#pointing !== undefined) this.#point(this.#pointing)
    }
    this.#heal()
    const meant = this.isSolo ? factsOf(this.nodes[0]!) : undefined
    const quiet = this.#runUntilQuiet()
    this.#faults.push(...quiet, ...verdictOf(this.nodes, this.accounts, meant))
    this.#observer?.observeAll()
    this.#drop()
    const dropped = this.#observer?.dropped ?? 0
    return { seed: this.#seed, faults: this.#faults, events: this.#events, steps: this.#steps, dropped }
  }

  /** Perhaps a writer makes a checkpoint, the blind node hears of records or drops pieces, or a long time passes. */
  #point(random: Random): void {
    const node = random.pick(this.nodes)!
    if (node.isUp && (node.isBusy('checkpoint') ? random.chance(0.7) : random.chance(0.15)))
      node.step('checkpoint')
    if (random.chance(0.3)) this.#observer!.observe(random)
    if (random.chance(0.04)) this.#drop()
    if (random.chance(0.06)) this.#nowUs += random.below(12 * 3_600_000_000)
  }

  #drop(): void {
    if (this.#observer === undefined) return
    const up = this.nodes.filter(({ isUp }) => isUp)
    const nowMs = Math.floor(this.#nowUs / 1000)
    for (const fault of new Set(this.#observer.drop(nowMs, up, this.#nowUs))) this.#faults.push(fault)
  }

  #tick(): void {
    this.#steps++
    // Mostly within a second, so that times are often equal; sometimes hours.
    this.#nowUs += this.random.chance(0.95) ? 1 + this.random.below(3000) : this.random.below(4e9)
  }

  #userSteps(): void {
    const one = this.isSolo ? this.#users[0]! : this.random.pick(this.#users)!
    if (this.#dressing?.chance(0.5)) {
      const did = userDresses(this.#dressing, one.node.disk, one.node.options.wardrobe)
      if (did !== undefined) this.log(one.node, () => `USER ${did}`)
    }
    one.work ??= one.user.does()
    if (one.work.next().done) one.work = undefined
  }

  #agentSteps(): void {
    const node = this.random.pick(this.nodes)!
    if (!node.isUp) {
      if (this.random.chance(0.1)) {
        this.log(node, () => 'starts')
        node.start()
      }
      return
    }
    const work = this.random.weighted({
      scan: 4,
      apply: 4,
      settle: this.isSolo ? 4 : 1,
      receive: 4,
      repeat: 0.1,
    })
    if (work === 'receive') this.#receive(node)
    else if (work === 'repeat') this.#repeat(node)
    else node.step(work as WorkName)
  }

  #receive(node: SimNode): void {
    const feed = this.random.pick(this.#feeds)!
    const lengths = this.nodes.map((other) => {
      if (!other.isUp || !this.#canReach(node, other)) return 0
      return other.feed === feed ? feed.durable.length : other.index.feeds.byWriter(feed.writer)!.next
    })
    node.receive(feed, Math.max(...lengths))
  }

  /** A record that was taken over already comes again: nothing may change. */
  #repeat(node: SimNode): void {
    const feed = this.random.pick(this.#feeds)!
    const { next } = node.index.feeds.byWriter(feed.writer)!
    if (next === 0) return
    // Who began at a checkpoint has never seen those before it.
    const at = this.#pointing === undefined ? this.random.below(next) : next - 1
    node.ingest(feed, node.decoded(feed, at), next)
  }

  #canReach(one: SimNode, other: SimNode): boolean {
    if (one === other) return false
    const names = [one.options.name, other.options.name].sort()
    return !this.#parted.has(names.join())
  }

  #part(): void {
    this.#parted = new Set()
    for (const one of this.nodes) {
      for (const other of this.nodes) {
        if (one.options.name < other.options.name && this.random.chance(0.4))
          this.#parted.add(`${one.options.name},${other.options.name}`)
      }
    }
  }

  #trouble(): void {
    const node = this.random.pick(this.nodes)!
    if (!node.isUp) return
    if (this.random.chance(0.1) && !this.isSolo) {
      this.log(node, () => 'loses its index')
      node.forget()
    } else {
      this.log(node, () => 'crashes')
      node.crash()
    }
  }

  /** A long time has passed for what lies in one archive, and its keeper removes it. */
  #prune(): void {
    const node = this.#pruning.pick(this.nodes)!
    if (!node.isUp || node.isBusy('apply') || node.disk.archive.size === 0) return
    this.log(node, () => 'prunes its archive')
    node.prune()
  }

  #heal(): void {
    this.#parted = new Set()
    for (const one of this.#users) {
      while (one.work !== undefined) if (one.work.next().done) one.work = undefined
      this.log(one.node, () => 'HEALS')
      if (!one.node.isUp) one.node.start()
      one.node.isThorough = true
    }
  }

  #runUntilQuiet(): string[] {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      let before = 0
      let after = 0
      for (const node of this.nodes) before += node.progress
      for (const node of this.nodes) {
        this.#tick()
        node.drain()
        node.fullScanDue = true
        node.whole('scan')
        for (const feed of this.#feeds) while (node.receive(feed));
        node.whole('settle')
        for (let i = 0; i < 3; i++) node.whole('apply')
      }
      for (const node of this.nodes) after += node.progress
      if (after === before && round > 1) return []
    }
    return [`not quiet after ${MAX_ROUNDS} rounds`]
  }
}
