// Hooks as text for people: in a few words for the status, and at length for shoal hooks.
import type { HookReport, HookRunReport } from '../control/schema-hooks.js'
import { shellWord } from '../core/shell-word.js'
import { formatCount, formatTable, printable } from './text.js'

/** Lines of a hook's output that are shown. */
const OUTPUT_LINES = 5

/** A hook's state in a few words. */
export function hookState({ state, waitsFor, dueInMs, last }: HookReport): string {
  const inTime = dueInMs === null ? '' : ` in ${(dueInMs / 1000).toFixed(1)} s`
  switch (state) {
    case 'waiting':
      return waitsFor === null ? 'waiting' : `waits for ${waitsFor}`
    case 'settling':
      return `runs${inTime}`
    case 'retrying':
      return `failed, runs again${inTime}`
    case 'failed':
      return 'failed'
    case 'running':
      return 'running'
    case 'idle':
      return last === null ? 'never ran' : 'idle'
  }
}

/** All of a hook, each line with its line end. */
export function formatHook(hook: HookReport): string {
  const { number, match, run, pending, last } = hook
  const facts = [
    ['match', match.join('  ')],
    ['state', hookState(hook)],
    ['pending', formatCount(pending, 'path')],
    ...(last === null ? [] : [['last run', lastRun(last)]]),
  ]
  const output = last === null ? [] : last.output.split('\n').filter((line) => line !== '')
  const shown = output.slice(-OUTPUT_LINES).map((line) => `      ${printable(line)}\n`)
  return `  ${number}  ${printable(run.map(shellWord).join(' '))}\n${formatTable(facts, '     ')}${shown.join('')}`
}

function lastRun({ at, result, exit, signal, reason, durationMs, paths }: HookRunReport): string {
  const how = {
    done: 'done',
    failed: exit === null ? `ended by ${signal}` : `exit code ${exit}`,
    timeout: 'ended by its timeout',
    stopped: 'ended with the daemon',
    'not-started': `not started: ${reason}`,
  }[result]
  return `${at.replace(/\.\d+Z$/, 'Z')}, ${how}, ${(durationMs / 1000).toFixed(1)} s, ${formatCount(paths, 'path')}`
}
