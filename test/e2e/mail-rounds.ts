// Mail on three nodes: messages are delivered (tmp to new), taken notice of (new to cur), flagged and moved between
// folders, each message by one node at a time, while readers list every node without a pause (mail-lister.ts). A folder
// of plain renames beside the shares, listed by the same readers, tells whether the way of listing is sound here.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { converged, pause, type TestNode, type World } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'
import type { ListerReport, Watchlist } from './mail-lister.js'

export interface MailOptions {
  readonly seed: number
  readonly messages: number
  readonly onWave?: (what: string) => void
}

export interface MailReport {
  /** Readers' listings, and what was wrong with those of the shares. */
  readonly listings: number
  readonly faults: readonly string[]
  /** What was wrong with those of the plain renames: then the others prove nothing. */
  readonly unsound: readonly string[]
  /** Messages that were renamed somewhere and have another inode for it. */
  readonly copied: number
  /** Messages in an archive, although none was deleted. */
  readonly archived: readonly string[]
  readonly renames: number
}

const NAMES = ['anna', 'ben', 'carl'] as const
const LISTER = fileURLToPath(new URL('./mail-lister.js', import.meta.url))
/** Messages of one wave, and of one account: few enough for one listing by one system call. */
const WAVE = 600
const ACCOUNT = 100
/** The way of a message; only ever onwards. */
const CHAIN = ['new', 'cur', '.Work/cur', '.Archive/cur'] as const
const FLAGS = ['', 'S', 'RS', 'FS', 'FRS', 'DS']
const CONTROL = 'plain renames'

interface Message {
  readonly number: number
  readonly base: string
  readonly account: string
  /** Where it is, relative to a share. */
  place: string
  /** Index in CHAIN; -1 before it is delivered. */
  stage: number
}

export async function mailRounds(world: World, options: MailOptions): Promise<MailReport> {
  const random = randomFrom(options.seed)
  const nodes = await world.start(NAMES, { share: { use_sync_trash: true } })
  const report = { listings: 0, faults: [] as string[], unsound: [] as string[], copied: 0, renames: 0 }
  const archived: string[] = []
  const all: Message[] = []
  for (let first = 0; first < options.messages; first += WAVE) {
    const count = Math.min(WAVE, options.messages - first)
    const wave = new Wave(world, nodes, random, first, count)
    all.push(...wave.messages)
    await wave.run()
    report.listings += wave.listings
    report.faults.push(...wave.faults)
    report.unsound.push(...wave.unsound)
    report.copied += wave.copied
    report.renames += wave.renames
    options.onWave?.(`${first + count} messages, ${report.renames} renames, ${report.listings} listings`)
    if (report.faults.length + report.unsound.length > 0) break
  }
  for (const node of nodes) {
    const found = messagesOf(node)
    assert.deepEqual([...found.keys()].sort(), all.map(({ place }) => place).sort(), node.name)
    for (const { place, number } of all) assert.equal(node.read(place), contentOf(number))
    archived.push(...filesBelow(path.join(node.dir, '.shoal/archive')))
  }
  assertEqualTrees(nodes.map(({ dir }) => dir))
  return { ...report, archived }
}

/** Some messages from their delivery to the folder they end in. */
class Wave {
  readonly messages: readonly Message[]
  readonly faults: string[] = []
  readonly unsound: string[] = []
  listings = 0
  copied = 0
  renames = 0
  readonly #world: World
  readonly #nodes: readonly TestNode[]
  readonly #random: () => number
  readonly #accounts: readonly string[]
  readonly #control: string
  #controlNames: string[] = []

  constructor(world: World, nodes: readonly TestNode[], random: () => number, first: number, count: number) {
    this.#world = world
    this.#nodes = nodes
    this.#random = random
    this.messages = Array.from({ length: count }, (_, i): Message => {
      const number = first + i
      const account = `user${Math.floor(number / ACCOUNT)}`
      const base = `${1_790_000_000 + number}.M${number}P${100 + (number % 7)}.mx`
      return { number, base, account, place: '', stage: -1 }
    })
    this.#accounts = [...new Set(this.messages.map(({ account }) => account))]
    this.#control = path.join(world.root, `plain-${first}`)
  }

  async run(): Promise<void> {
    this.#makeFolders()
    await converged(this.#nodes)
    const listers = this.#nodes.map((node) => this.#startLister(node))
    await this.#phase((message) => [() => this.#deliver(message, 0), () => this.#notice(message, 0)])
    await converged(this.#nodes)
    const inodes = this.#nodes.map(inodesOf)
    const received = await receivedBytes(this.#nodes)
    for (const turn of [1, 2])
      await this.#phase((message) => [
        () => this.#notice(message, turn),
        () => this.#move(message, turn, turn === 1 ? 2 : 3),
        () => this.#flag(message, turn),
      ])
    await converged(this.#nodes)
    for (const lister of listers) this.#take(await lister.end())
    for (const [i, node] of this.#nodes.entries())
      for (const [base, ino] of inodesOf(node)) if (inodes[i]!.get(base) !== ino) this.copied++
    assert.deepEqual(await receivedBytes(this.#nodes), received, 'a rename has moved content')
  }

  /** Every message's steps in its order, those of all messages mixed; then all nodes have all of it. */
  async #phase(stepsOf: (message: Message) => (() => void)[]): Promise<void> {
    const waiting = this.messages.map(stepsOf)
    for (;;) {
      const left = waiting.filter((steps) => steps.length > 0)
      if (left.length === 0) break
      // Some messages at a time, as mail comes.
      const near = left.slice(0, 40)
      near[Math.floor(this.#random() * near.length)]!.shift()!()
      this.#renamePlainly()
      if (this.#random() < 0.5) await pause(Math.floor(this.#random() * 6))
    }
    await converged(this.#nodes)
  }

  #nodeOf({ number }: Message, turn: number): TestNode {
    return this.#nodes[(number + turn) % this.#nodes.length]!
  }

  #deliver(message: Message, turn: number): void {
    const node = this.#nodeOf(message, turn)
    const temporary = node.at(`${message.account}/tmp/${message.base}`)
    fs.writeFileSync(temporary, contentOf(message.number))
    message.place = `${message.account}/new/${message.base}`
    message.stage = 0
    fs.renameSync(temporary, node.at(message.place))
  }

  #notice(message: Message, turn: number): void {
    if (message.stage === 0 && this.#random() < 0.8) this.#rename(message, turn, 1)
    else this.#flag(message, turn)
  }

  #move(message: Message, turn: number, stage: number): void {
    if (this.#random() < 0.5) this.#rename(message, turn, Math.max(stage, message.stage))
  }

  #flag(message: Message, turn: number): void {
    if (message.stage > 0) this.#rename(message, turn, message.stage)
  }

  #rename(message: Message, turn: number, stage: number): void {
    const node = this.#nodeOf(message, turn)
    const flags = FLAGS[Math.floor(this.#random() * FLAGS.length)]!
    const place = `${message.account}/${CHAIN[stage]}/${message.base}:2,${flags}`
    if (place === message.place) return
    fs.renameSync(node.at(message.place), node.at(place))
    message.place = place
    message.stage = stage
    this.renames++
  }

  #makeFolders(): void {
    for (const account of this.#accounts)
      for (const folder of ['tmp', ...CHAIN])
        fs.mkdirSync(this.#nodes[0]!.at(`${account}/${folder}`), { recursive: true })
    for (const folder of CHAIN) fs.mkdirSync(path.join(this.#control, folder), { recursive: true })
    this.#controlNames = Array.from({ length: ACCOUNT }, (_, i) => `new/${1_780_000_000 + i}.M${i}P1.mx`)
    for (const name of this.#controlNames) fs.writeFileSync(path.join(this.#control, name), '')
  }

  /** A message of the folder beside the shares goes on its way, or gets other flags. */
  #renamePlainly(): void {
    const at = Math.floor(this.#random() * this.#controlNames.length)
    const name = this.#controlNames[at]!
    const stage = CHAIN.findIndex((folder) => name.startsWith(`${folder}/`))
    const next = this.#random() < 0.1 ? Math.min(stage + 1, CHAIN.length - 1) : Math.max(stage, 1)
    const flags = FLAGS[Math.floor(this.#random() * FLAGS.length)]!
    const to = `${CHAIN[next]}/${path.basename(name).split(':')[0]}:2,${flags}`
    fs.renameSync(path.join(this.#control, name), path.join(this.#control, to))
    this.#controlNames[at] = to
  }

  #startLister(node: TestNode): Lister {
    const chains = Object.fromEntries(
      this.#accounts.map((account) => [account, CHAIN.map((folder) => node.at(`${account}/${folder}`))]),
    )
    const control = CHAIN.map((folder) => path.join(this.#control, folder))
    const file = path.join(this.#world.root, `list-${node.name}.json`)
    const watchlist: Watchlist = { chains: { ...chains, [CONTROL]: control } }
    fs.writeFileSync(file, JSON.stringify(watchlist))
    return new Lister(node.name, file)
  }

  #take({ name, listings, faults }: { readonly name: string } & ListerReport): void {
    this.listings += listings
    for (const [label, list] of Object.entries(faults))
      for (const fault of list) (label === CONTROL ? this.unsound : this.faults).push(`${name}: ${fault}`)
  }
}

class Lister {
  readonly #name: string
  readonly #child: ChildProcess

  constructor(name: string, file: string) {
    this.#name = name
    this.#child = spawn(process.execPath, [LISTER, file], { stdio: ['pipe', 'pipe', 'inherit'] })
  }

  async end(): Promise<{ readonly name: string } & ListerReport> {
    let out = ''
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    this.#child.stdin!.end()
    await once(this.#child, 'close')
    return { name: this.#name, ...(JSON.parse(out) as ListerReport) }
  }
}

function contentOf(number: number): string {
  return `Subject: message ${number}\n\n${'Text. '.repeat(1 + (number % 50))}\n`
}

async function receivedBytes(nodes: readonly TestNode[]): Promise<number[]> {
  return Promise.all(nodes.map(async (node) => (await node.share()).receivedBytes))
}

/** Files of a node's accounts, relative to the share, with their inodes. */
function messagesOf(node: TestNode): Map<string, number> {
  const found = new Map<string, number>()
  for (const file of filesBelow(node.dir)) {
    const name = path.relative(node.dir, file)
    if (!name.startsWith('.shoal/')) found.set(name, fs.statSync(file).ino)
  }
  return found
}

function inodesOf(node: TestNode): Map<string, number> {
  return new Map([...messagesOf(node)].map(([name, ino]) => [path.basename(name).split(':')[0]!, ino]))
}

function filesBelow(directory: string): string[] {
  if (!fs.existsSync(directory)) return []
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
}

/** Mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
