// `shoal invite`: has a running daemon make a one-time invite, lists those there are, ends them. The code is printed alone
// on standard output, and what to do with it on standard error, so that it can be piped on; it is never an argument.
import type { InviteGrade, InviteReport, NewInviteReport } from '../control/schema.js'
import { ShoalError } from '../core/error.js'
import { connect, type JsonOption, shareAt } from './daemon-commands.js'
import type { CliIo } from './io.js'
import { formatJson, formatTable, printable } from './text.js'

export interface InviteOptions extends JsonOption {
  readonly grade?: InviteGrade
  /** Milliseconds. */
  readonly expires: number
  readonly list?: boolean
  readonly revoke?: string
}

/** Makes an invite for the share of a folder, or the only one; or lists, or revokes. The exit code. */
export async function inviteCommand(
  io: CliIo,
  configFile: string,
  dir: string | undefined,
  options: InviteOptions,
): Promise<number> {
  const { grade, expires, list = false, revoke } = options
  if ([list, revoke !== undefined, grade !== undefined].filter(Boolean).length !== 1)
    throw new ShoalError(
      'USAGE',
      'say which: --grade read (they may follow), --grade write (they may change everything), --list, or --revoke ID',
    )
  if (grade === undefined && dir !== undefined)
    throw new ShoalError('USAGE', 'a folder is named for a new invite only')
  const { client, config } = await connect(configFile)
  if (revoke !== undefined) {
    await client.revokeInvite({ id: idOf(revoke) })
    io.out(`revoked ${revoke}\n`)
    return 0
  }
  if (grade === undefined) {
    printInvites(io, await client.invites(), options)
    return 0
  }
  if (dir === undefined && config.shares.length !== 1)
    throw new ShoalError(
      'USAGE',
      `${config.fileName} has ${config.shares.length} folders: name the one to invite to`,
    )
  const share = dir === undefined ? 0 : shareAt(config, dir)
  const made = await client.invite({ share, grade, lifeMs: expires })
  if (options.json === true) io.out(formatJson(made))
  else {
    io.out(`${made.invite}\n`)
    if (io.isQuiet !== true) io.err(explanation(made))
  }
  return 0
}

function explanation({ grade, dir, expiresAt, id, port }: NewInviteReport): string {
  const what = grade === 'write' ? 'change everything in' : 'follow'
  return `
Read these six groups to the one you invite. It lets them ${what} ${printable(dir)};
it works once, until ${readable(expiresAt)}, and is not shown again (invite ${id}).
This daemon must be running and in reach of theirs when they use it with shoal join: on the same network, in the
same DHT, or at an address of this machine with port ${port}. A relay does not lead to it.
`
}

function printInvites(io: CliIo, invites: readonly InviteReport[], { json }: JsonOption): void {
  if (json === true) io.out(formatJson(invites))
  else if (invites.length === 0) io.out('no invites\n')
  else {
    const rows = invites.map((one) => [
      one.id,
      one.dir,
      one.grade,
      stateOf(one),
      readable(one.expiresAt),
      String(one.wrongTries),
    ])
    io.out(formatTable([['INVITE', 'FOLDER', 'GRADE', 'STATE', 'UNTIL', 'WRONG TRIES'], ...rows]))
  }
}

function stateOf({ state, usedBy, closedAt, confirmed }: InviteReport): string {
  if (state === 'open') return 'open'
  const when = closedAt === null ? '' : ` ${readable(closedAt)}`
  if (state === 'ended') return `ended${when}`
  return `used${when} from ${usedBy ?? 'unknown'}${confirmed === true ? '' : ', not confirmed'}`
}

/** The same as --json's, to the second. */
function readable(instant: string): string {
  return instant.replace(/\.\d+Z$/, 'Z')
}

function idOf(text: string): string {
  if (/^[0-9a-f]{8}$/.test(text)) return text
  // It may be the code itself: not quoted.
  throw new ShoalError('USAGE', 'expected the id of an invite, 8 digits as shoal invite --list shows them')
}
