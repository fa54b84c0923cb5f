// A program that lives off the release that a node shows, as a web server does: again and again it asks where `current`
// leads, then reads what it finds there. Run as a process of its own: DIRECTORY and a TreePlan as JSON. At the first file
// that is not of the version that the release says it is, it says so and ends with 1; on SIGTERM it prints what it has done.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { faultAt, type TreePlan, VERSION_FILE } from './release-tree.js'

/** Files looked at under one answer of `current`. */
const LOOK_FILES = 2
/** Looks between two rests, in which a signal is heard. */
const LOOKS_AT_ONCE = 25

const [directory, planText] = process.argv.slice(2) as [string, string]
const plan = JSON.parse(planText) as TreePlan
const link = path.join(directory, 'current')

let looks = 0
let switches = 0
let last: string | undefined
let isEnding = false

process.on('SIGTERM', () => {
  isEnding = true
})
// Whoever started it is gone.
process.stdin.on('end', () => process.exit(2)).resume()
// What it reads from is to have the processor first.
os.setPriority(os.constants.priority.PRIORITY_LOW)

function look(): void {
  const target = fs.readlinkSync(link)
  const release = path.join(directory, target)
  const version = Number(target.slice('releases/v'.length))
  const said = fs.readFileSync(path.join(release, VERSION_FILE), 'utf8')
  if (said !== `${version}`) fail(`${target} says that it is version ${said}`)
  for (let i = 0; i < LOOK_FILES; i++) {
    const fault = faultAt(release, plan, Math.floor(Math.random() * plan.files), version)
    if (fault !== undefined) fail(fault)
  }
  if (target !== last) switches++
  last = target
  looks++
}

function fail(what: string): never {
  fs.writeSync(1, `${JSON.stringify({ fault: what })}\n`)
  process.exit(1)
}

function run(): void {
  for (let i = 0; i < LOOKS_AT_ONCE && !isEnding; i++) look()
  if (isEnding) end()
  else setImmediate(run)
}

function end(): never {
  fs.writeSync(1, `${JSON.stringify({ looks, switches })}\n`)
  process.exit(0)
}

// Nothing is shown yet when it starts.
function begin(): void {
  if (isEnding) end()
  else if (fs.lstatSync(link, { throwIfNoEntry: false }) === undefined) setTimeout(begin, 20)
  else run()
}

begin()
