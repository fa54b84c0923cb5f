// What the demo knows of trees, written apart from Shoal so that it can check Shoal: a list of a tree's files, copies of
// it, and a picture of a tree by content that two trees can be compared with.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, lstat, mkdir, readdir, readFile, readlink, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'

const PARALLEL = 8
const READ_WHOLE_BYTES = 1 << 20
const OWN_FOLDER = '.shoal'

/** Runs `work` on every item, a few at a time. */
export async function forEach(items, work) {
  const queue = items[Symbol.iterator]()
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      for (const item of queue) await work(item)
    }),
  )
}

/** Everything below a folder but Shoal's own folder, parents first: {path, stat}. */
export async function listTree(root) {
  const found = []
  const queue = ['']
  for (let folder = queue.shift(); folder !== undefined; folder = queue.shift()) {
    for (const name of (await readdir(join(root, folder))).sort()) {
      if (folder === '' && name === OWN_FOLDER) continue
      const path = folder === '' ? name : `${folder}/${name}`
      const stat = await lstat(join(root, path))
      found.push({ path, stat })
      if (stat.isDirectory()) queue.push(path)
    }
  }
  return found
}

/**
 * What a tree holds: path -> {is, how}. `is` says type and content or link target; `how` the rest that must be the same
 * on all members: permission bits and time to the microsecond (a link has no permissions of its own).
 */
export async function pictureOf(root) {
  const picture = new Map()
  await forEach(await listTree(root), async ({ path, stat }) => {
    const time = Math.round(stat.mtimeMs * 1000)
    const how = stat.isSymbolicLink() ? `${time}` : `${(stat.mode & 0o7777).toString(8)} ${time}`
    picture.set(path, { is: await contentOf(join(root, path), stat), how })
  })
  return picture
}

/** Type and content of one thing on disk, as a text. */
export async function contentOf(file, stat) {
  if (stat.isDirectory()) return 'directory'
  if (stat.isSymbolicLink()) return `link to ${await readlink(file)}`
  return `file ${stat.size} ${await hashOf(file, stat.size)}`
}

/** The text that contentOf gives for a file of this content. */
export function fileOf(content) {
  return `file ${Buffer.byteLength(content)} ${createHash('sha256').update(content).digest('hex')}`
}

/** Up to a few differences, one line each; `what` picks what is compared of two pictures' entries. */
export function differences(expected, found, what) {
  const lines = []
  for (const path of new Set([...expected.keys(), ...found.keys()])) {
    const is = found.has(path) ? what(found.get(path)) : 'nothing'
    const should = expected.has(path) ? what(expected.get(path)) : 'nothing'
    if (is !== should) lines.push(`${JSON.stringify(path)}: is ${is}, should be ${should}`)
  }
  return lines
}

/**
 * Plans the demo's tree: as many copies of `source` as give at least `wanted` files, big files in the first only, a link
 * to each of its folders, and a link to nowhere. Returns {path, from, stat} or {path, target}, parents first.
 */
export async function planTree(source, { wanted, bigBytes }) {
  const original = (await listTree(source)).filter(
    ({ stat }) => stat.isFile() || stat.isDirectory() || stat.isSymbolicLink(),
  )
  if (!original.some(({ stat }) => stat.isFile())) throw new Error(`${source} holds no files`)
  const plan = []
  let files = 0
  for (let copy = 1; files < wanted; copy++) {
    plan.push({ path: `copy-${copy}` })
    for (const { path, stat } of original) {
      if (stat.isFile() && (files >= wanted || (copy > 1 && stat.size > bigBytes))) continue
      if (stat.isFile()) files++
      plan.push({ path: `copy-${copy}/${path}`, from: join(source, path), stat })
    }
  }
  plan.push({ path: 'links' })
  for (const { path, stat } of original) {
    if (stat.isDirectory() && !path.includes('/'))
      plan.push({ path: `links/${path}`, target: `../copy-1/${path}` })
  }
  plan.push({ path: 'links/nowhere', target: 'no such file' })
  return plan
}

/** Makes a planned tree; returns what is expected of it: path -> {is}. */
export async function makeTree(root, plan) {
  const expected = new Map()
  const contents = new Map()
  for (const { path, stat } of plan.filter(isFolder)) {
    await mkdir(join(root, path), { recursive: true })
    if (stat === undefined || stat.isDirectory()) expected.set(path, { is: 'directory' })
  }
  await forEach(
    plan.filter((each) => !isFolder(each)),
    async ({ path, from, stat, target }) => {
      const to = join(root, path)
      if (target !== undefined || stat.isSymbolicLink()) {
        const text = target ?? (await readlink(from))
        await symlink(text, to)
        expected.set(path, { is: `link to ${text}` })
        return
      }
      await copyFile(from, to)
      if (!contents.has(from)) contents.set(from, await contentOf(from, stat))
      expected.set(path, { is: contents.get(from) })
    },
  )
  return expected
}

function isFolder({ stat, target }) {
  return target === undefined && (stat === undefined || stat.isDirectory())
}

/** Paths of `expected` that are a folder or lie in it. */
export function within(expected, folder) {
  return [...expected.keys()].filter((path) => path === folder || path.startsWith(`${folder}/`))
}

/** The folder a path lies in. */
export function parentOf(path) {
  const parent = dirname(path)
  return parent === '.' ? '' : parent
}

async function hashOf(file, size) {
  const hash = createHash('sha256')
  if (size <= READ_WHOLE_BYTES) hash.update(await readFile(file))
  else await pipeline(createReadStream(file, { highWaterMark: READ_WHOLE_BYTES }), hash)
  return hash.digest('hex')
}
