// `shoal doctor`: what src/doctor finds, for one configuration or all of this machine. One is looked at in this process,
// which becomes its user as the daemon does; each of several in a process of its own, since there is no way back.
import { spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { configFoldersOf } from '../config/places.js'
import type { LoadedConfig } from '../config/secrets.js'
import { ShoalError } from '../core/error.js'
import { redactPieces } from '../core/secret-redact.js'
import { shellWord } from '../core/shell-word.js'
import { type Finding, fail, isWell, ok, warn } from '../doctor/finding.js'
import { glance } from '../instance/glance.js'
import { programFile } from '../ports/program.js'
import { inspectConfig } from './check.js'
import { ConfigSource } from './config-source.js'
import { EXIT } from './exit.js'
import { identify } from './identity.js'
import { configFilesOf } from './import.js'
import type { CliIo } from './io.js'
import { showProgress } from './progress/show.js'
import { formatJson, printable } from './text.js'

export interface DoctorOptions {
  readonly json?: boolean
  /** Not what is the same for all configurations. */
  readonly withoutMachine?: boolean
}

/** What --json prints a list of. */
export interface DoctorReport {
  /** null: the machine. */
  readonly config: string | null
  readonly findings: readonly Finding[]
}

const MAIN = fileURLToPath(programFile('cli/main.js'))

/** Prints what was found; 1 if anything does not work. */
export async function doctorCommand(
  io: CliIo,
  named: readonly string[],
  { json, withoutMachine }: DoctorOptions,
): Promise<number> {
  const files = await filesOf(io, named)
  const reports: DoctorReport[] = []
  await showProgress(io, 'doctor', async (progress) => {
    const { examineLimits, examineMachine } = await import('../doctor/machine.js')
    const step = (detail: string): void => progress.update({ done: reports.length, unit: 'report', detail })
    const nowMs = Date.now()
    if (withoutMachine !== true) {
      const limits =
        files.length === 1 ? [] : examineLimits({ pid: undefined, shares: 0, counted: undefined })
      reports.push({ config: null, findings: [...examineMachine(nowMs), ...limits] })
    }
    if (files.length === 1)
      reports.push({ config: files[0]!, findings: await examine(files[0]!, nowMs, step) })
    else
      for (const [at, file] of files.entries()) {
        progress.update({ done: at, total: files.length, unit: 'configuration', detail: file })
        reports.push(await apart(io, file))
      }
  })
  io.out(redactPieces(json === true ? formatJson(reports) : formatReports(reports)))
  return reports.every(({ findings }) => isWell(findings)) ? EXIT.done : EXIT.no
}

/** How a configuration's device is reached, and why not; 1 if anything does not work. */
export async function doctorNetCommand(
  io: CliIo,
  file: string,
  { json }: Pick<DoctorOptions, 'json'>,
): Promise<number> {
  let findings: readonly Finding[] = []
  await showProgress(io, 'doctor', async (progress) => {
    const onStep = (detail: string): void => progress.update({ done: 0, unit: 'report', detail })
    findings = await examineAs(file, onStep, async (config) => {
      const { examineNetwork } = await import('../doctor/network.js')
      return examineNetwork({ config, onStep })
    })
  })
  const reports = [{ config: file, findings }]
  io.out(redactPieces(json === true ? formatJson(reports) : formatReports(reports)))
  return isWell(findings) ? EXIT.done : EXIT.no
}

/** Lines of "ok", "warn" and "FAIL", and below what is not well what to do. */
export function formatReports(reports: readonly DoctorReport[]): string {
  return reports
    .map(({ config, findings }) => {
      const head = config === null ? 'this machine' : printable(config)
      return `${head}\n${findings.map(formatFinding).join('')}`
    })
    .join('\n')
}

function formatFinding({ check, level, text: what, todo }: Finding): string {
  const word = (level === 'fail' ? 'FAIL' : level).padEnd(4)
  const line = `  ${word}  ${check}: ${printable(what)}\n`
  return todo === null ? line : `${line}        do: ${printable(todo)}\n`
}

async function filesOf({ env }: CliIo, named: readonly string[]): Promise<string[]> {
  if (named.length > 0) return (await Promise.all(named.map(configFilesOf))).flat()
  const asker = { uid: process.getuid?.(), home: env.HOME || homedir(), env }
  const found = await Promise.all(
    configFoldersOf(asker).map(async (folder) => {
      try {
        return await configFilesOf(folder)
      } catch (error) {
        // A folder without configurations, or none at all.
        if (error instanceof ShoalError && (error.code === 'NOT_FOUND' || error.code === 'CONFIG_UNREADABLE'))
          return []
        throw error
      }
    }),
  )
  // A folder that is not there comes back as a file of that name.
  return found.flat().filter((file) => file.endsWith('.conf') || file.endsWith('.conf.d'))
}

/** In this process, which is the configuration's user from then on. */
async function examine(file: string, nowMs: number, onStep: (step: string) => void): Promise<Finding[]> {
  return examineAs(file, onStep, async (config, source) => {
    const { examineInstance } = await import('../doctor/instance.js')
    return examineInstance({ config, secretFiles: secretFilesOf(source), nowMs, onStep })
  })
}

/** As the configuration's user from then on; `look` is what is looked at where the configuration would run. */
async function examineAs(
  file: string,
  onStep: (step: string) => void,
  look: (config: LoadedConfig, source: ConfigSource) => Promise<Finding[]>,
): Promise<Finding[]> {
  onStep('configuration')
  const { errors, warnings, identity } = await inspectConfig(file, identify)
  const findings = [
    ...errors.map((message) =>
      fail('configuration', message, 'mend the configuration; shoal check says the same'),
    ),
    ...warnings
      .filter(({ isNote }) => !isNote)
      .map(({ text: message }) => warn('configuration', message, 'see docs/configuration.md')),
  ]
  if (errors.length > 0) return findings
  findings.unshift(ok('configuration', `would run${identity === undefined ? '' : ` as ${identity.runsAs}`}`))
  try {
    const source = await ConfigSource.enter(file, { leavesStorage: true })
    const { config } = await source.first()
    const added = await addedTo(config)
    const all = { ...config, shares: [...config.shares, ...added.shares] }
    return [...findings, ...added.findings, ...(await look(all, source))]
  } catch (error) {
    if (!(error instanceof ShoalError) || error.code === 'INTERNAL') throw error
    const todo = error.code === 'WRONG_USER' ? 'run shoal doctor as that user, or as root' : 'mend that first'
    return [...findings, fail('configuration', error.message, todo)]
  }
}

/** The folders that were added while the daemon ran, and what is wrong with them. */
async function addedTo(config: LoadedConfig): Promise<{
  readonly shares: LoadedConfig['shares']
  readonly findings: readonly Finding[]
}> {
  const { readAdded } = await import('../daemon/added-folders.js')
  try {
    const added = await readAdded(config)
    const findings = added.flatMap(({ kept, fault }) => {
      if (fault === undefined) return []
      const text = `${kept.dir}, which shoal add had added, cannot be used: ${fault}`
      return [fail('folder', text, `mend that, or: shoal remove CONFIG ${kept.dir}`)]
    })
    return { shares: added.flatMap(({ settings }) => settings ?? []), findings }
  } catch (error) {
    if (!(error instanceof ShoalError) || error.code === 'INTERNAL') throw error
    const findings = [
      fail('storage', error.message, 'storage_path must belong to the user that the daemon runs as'),
    ]
    return { shares: [], findings }
  }
}

/** The configuration's own if a secret stands in them, and those that hold nothing else. */
function secretFilesOf({ opened, files }: ConfigSource): { path: string; mode: number; uid: number }[] {
  const { text: content, fileName } = opened
  const own = glance(content, fileName).holdsSecret ? opened.files : []
  const read = new Set([fileName, `${fileName}.d`])
  const apart = files.flatMap((path) => {
    const stat = read.has(path) ? undefined : statSync(path, { throwIfNoEntry: false })
    return stat === undefined ? [] : [{ path, mode: stat.mode & 0o7777, uid: stat.uid }]
  })
  return [...own, ...apart]
}

/** In a process of its own. */
async function apart({ env }: CliIo, file: string): Promise<DoctorReport> {
  const child = spawn(process.execPath, [MAIN, 'doctor', '--json', '--quiet', '--without-machine', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env },
  })
  const failure = new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', () => resolve(undefined))
  })
  const [out, err, message] = await Promise.all([text(child.stdout), text(child.stderr), failure])
  try {
    const [report] = JSON.parse(out) as DoctorReport[]
    if (report !== undefined) return report
  } catch {
    // It ended before it could say anything: what it said instead is the finding.
  }
  const why = message ?? (err.trim().split('\n')[0] || 'it ended without a word')
  return {
    config: file,
    findings: [fail('configuration', `cannot be examined: ${why}`, `run: shoal doctor ${shellWord(file)}`)],
  }
}
