// The way into an instance, for who is about to run it: reads the configuration while that is still possible, refuses
// what is not safe, makes the storage path if only root can, and becomes the user. What comes back is a text that nobody
// has understood yet: secrets are decoded, ports opened and threads started by the user alone.
import { accessSync, constants } from 'node:fs'
import { type OpenedConfig, openConfig } from '../config/source.js'
import { ShoalError } from '../core/error.js'
import { PROGRAM_FOLDER } from '../ports/program.js'
import type { Accounts } from './accounts.js'
import { capabilitiesFor } from './capabilities.js'
import { become, mustBeStarter, type RunsAs } from './drop.js'
import { glance } from './glance.js'
import { checkConfigFile } from './place.js'
import { type Instance, resolveInstance } from './resolve.js'
import { checkStorage, makeStorage, missingStorageFault } from './storage.js'

/** An instance whose user this process now runs as. */
export interface Entered {
  readonly instance: Instance
  readonly runsAs: RunsAs
  readonly opened: OpenedConfig
  /** Why its storage path will not be made; undefined: nothing stands against it. What is wrong with the text goes first. */
  readonly storageFault: string | undefined
}

export interface EnterOptions {
  readonly accounts?: Accounts
  /** Makes nothing, for who only looks. */
  readonly leavesStorage?: boolean
}

/**
 * Becomes the instance of a configuration file, for good. Call it before anything else is started. Throws
 * CONFIG_UNREADABLE, CONFIG_INVALID (name, tags, user or group), FILE_EXPOSED, WRONG_USER; the process must end then, as
 * it may have changed half-way.
 */
export async function enterInstance(
  fileName: string,
  { accounts, leavesStorage = false }: EnterOptions = {},
): Promise<Entered> {
  const isRoot = process.geteuid!() === 0
  const opened = await openConfig(fileName)
  const instance = resolveInstance(opened.fileName, opened.text, accounts, undefined, opened.parts)
  // Whose file it is depends on this, so it is told first.
  if (!isRoot) mustBeStarter(instance)
  const { storagePath, holdsSecret } = glance(opened.text, opened.fileName)
  const isRoots = opened.files
    .map((file) => checkConfigFile(file, instance.uid, holdsSecret, isRoot).isRoots)
    .every((each) => each)
  // A path that a user wrote is none that root should make for it.
  if (isRoot && isRoots && !leavesStorage && storagePath !== undefined) makeStorage(storagePath, instance)
  const runsAs = become(instance, isRoots, capabilitiesFor(opened))
  mustReadItself(instance)
  if (storagePath !== undefined) checkStorage(storagePath, instance, isRoot)
  const storageFault =
    storagePath === undefined || leavesStorage
      ? undefined
      : missingStorageFault(storagePath, instance, { isRoots, startedByRoot: isRoot })
  return { instance, runsAs, opened, storageFault }
}

/** What is loaded from here on is loaded by the user. */
function mustReadItself({ user }: Instance): void {
  try {
    accessSync(PROGRAM_FOLDER, constants.R_OK | constants.X_OK)
  } catch (cause) {
    throw new ShoalError(
      'WRONG_USER',
      `${user} cannot read the program in ${PROGRAM_FOLDER}: install it where all users can`,
      { cause },
    )
  }
}
