// A tree like a web host's: sizes log-normal (sigma 1.4), about 24 files to a folder, folders nested two to six deep,
// content that compresses and content that does not, three to one. The same arguments always give the same tree.
import fs from 'node:fs'
import path from 'node:path'

export interface TreeFacts {
  readonly files: number
  readonly folders: number
  readonly bytes: number
}

const SIGMA = 1.4
const FILES_PER_FOLDER = 24
const POOL_BYTES = 32 << 20
const MAX_FILE_BYTES = 64 << 20
const EXTENSIONS = ['.php', '.html', '.jpg', '.css', '.js', '.eml', '.txt', '.png', '.conf', '.json']
const TEXT = `the quick brown fox <div class="post"> function render($row) { return $row['title']; } `

/** mulberry32: small, fast, and the same everywhere. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/** Makes the tree; the directory must not exist or be empty. */
export function makeTree(directory: string, files: number, meanBytes: number, seed: number): TreeFacts {
  const random = randomOf(seed)
  const gauss = (): number => Math.sqrt(-2 * Math.log(random() || 1e-9)) * Math.cos(2 * Math.PI * random())
  const mu = Math.log(meanBytes) - SIGMA ** 2 / 2
  const pool = contentPool(random)
  const folders = [directory]
  let folderCount = 0
  let bytes = 0
  fs.mkdirSync(directory, { recursive: true })
  for (let i = 0; i < files; i++) {
    if (i % FILES_PER_FOLDER === 0) {
      const depth = 2 + Math.floor(random() * 5)
      while (folders.length > depth) folders.pop()
      const name = `d${(i / FILES_PER_FOLDER).toString(36)}${random() < 0.05 ? ' é' : ''}`
      folders.push(path.join(folders.at(-1)!, name))
      fs.mkdirSync(folders.at(-1)!, { recursive: true })
      folderCount++
    }
    const size = Math.max(1, Math.min(MAX_FILE_BYTES, Math.round(Math.exp(mu + SIGMA * gauss()))))
    const at = Math.floor(random() * (pool.length - Math.min(size, pool.length)))
    const extension = EXTENSIONS[Math.floor(random() * EXTENSIONS.length)]!
    const file = path.join(folders.at(-1)!, `f${i.toString(36)}${extension}`)
    const fd = fs.openSync(file, 'w', random() < 0.1 ? 0o755 : 0o644)
    fs.writeSync(fd, `${i}\n`)
    for (let left = size; left > 0; ) {
      const length = Math.min(left, pool.length - at)
      fs.writeSync(fd, pool, at, length)
      left -= length
    }
    const seconds = 1.5e9 + Math.floor(random() * 2e8)
    fs.futimesSync(fd, seconds, seconds)
    fs.closeSync(fd)
    bytes += size
  }
  return { files, folders: folderCount, bytes }
}

function contentPool(random: () => number): Buffer {
  const pool = Buffer.alloc(POOL_BYTES)
  for (let at = 0; at < pool.length; ) {
    if ((at >> 12) % 4 === 3) {
      for (let j = 0; j < 4096 && at + j + 4 <= pool.length; j += 4) {
        pool.writeUInt32LE((random() * 0x1_0000_0000) >>> 0, at + j)
      }
      at += 4096
    } else {
      const line = `${TEXT}${((random() * 1e9) >>> 0).toString(36)}\n`
      at += pool.write(line.repeat(2), at, 'latin1') || pool.length
    }
  }
  return pool
}
