// What the usual tools of a system say of a tree's owners, modes, ACLs and extended attributes, and what they change.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'

/** False, or why a test with ACLs and attributes cannot be run with these tools here. */
export const NEEDS_TOOLS: string | false = ((): string | false => {
  const missing = ['getfacl', 'setfacl', 'getfattr', 'setfattr'].filter(
    (tool) => spawnSync(tool, ['--version']).error !== undefined,
  )
  return missing.length === 0 ? false : `needs ${missing.join(', ')}: npm run test:tools installs them`
})()

/** Runs a tool in a directory, and returns what it printed. Fails if the tool does. */
export function tool(directory: string, command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: directory, encoding: 'utf8' })
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${stderr}`)
  return stdout
}

export interface Looks {
  readonly stat: readonly string[]
  readonly acls: readonly string[]
  readonly attributes: readonly string[]
}

/** What stat, getfacl and getfattr say of everything below a directory but `.shoal`, in paragraphs that are sorted. */
export function looks(directory: string): Looks {
  const names = fs.readdirSync(directory).filter((name) => name !== '.shoal')
  if (names.length === 0) return { stat: [], acls: [], attributes: [] }
  const paths = tool(directory, 'find', ...names, '-print0')
    .split('\0')
    .filter((path) => path !== '')
  const paragraphs = (text: string): string[] =>
    text
      .split('\n\n')
      .filter((each) => each !== '')
      .sort()
  return {
    stat: tool(directory, 'stat', '-c', '%n %F %a %u %g', ...paths)
      .split('\n')
      .sort(),
    acls: paragraphs(tool(directory, 'getfacl', '-R', '-n', '-P', ...names)),
    attributes: paragraphs(tool(directory, 'getfattr', '-R', '-P', '-d', '-h', '-m', '^user[.]', ...names)),
  }
}
