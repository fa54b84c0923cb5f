// The notices of the packages whose code is inside dist/program: their licences ask that these go wherever the code goes.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const FILE = /^(licen[cs]e|copying|copyright|notice)\b/i
const PACKAGE = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/

/** Of each package that is inside these files, as esbuild's metafile lists them. `root` is the repository's folder. */
export function noticesOf(root, outputs) {
  const paths = new Set(
    Object.values(outputs)
      .flatMap(({ inputs }) => Object.keys(inputs))
      .flatMap((input) => PACKAGE.exec(input)?.[0] ?? []),
  )
  const texts = [...paths].map((path) => noticeOf(join(root, path))).sort()
  return [
    'The files of this folder hold code of these packages, each under its own licence, as it stands below.\n',
    ...new Set(texts),
  ].join(`\n${'-'.repeat(78)}\n\n`)
}

function noticeOf(folder) {
  const { name, version, license, author, repository } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  )
  const licence = typeof license === 'string' ? license : license?.type
  const texts = readdirSync(folder)
    .filter((file) => FILE.test(file))
    .map((file) => readFileSync(join(folder, file), 'utf8').trim())
  if (texts.length === 0 && licence === undefined) throw new Error(`${name} says nothing of its licence`)
  const by = typeof author === 'string' ? author : author?.name
  const from = typeof repository === 'string' ? repository : repository?.url
  const head = [`${name} ${version}`, licence, by, from].filter((part) => part !== undefined && part !== '')
  return `${[head.join('\n'), ...texts].join('\n\n')}\n`
}
