// As whom a configuration would run, and what of its files and storage path would keep it from running: what src/instance
// refuses, said without becoming anybody.
import type { FileFacts } from '../config/open.js'
import { problemText } from '../config/problems.js'
import type { OpenedConfig } from '../config/source.js'
import { ShoalError } from '../core/error.js'
import { glance } from '../instance/glance.js'
import { checkConfigFile } from '../instance/place.js'
import { type Instance, resolveInstance } from '../instance/resolve.js'
import { checkStorage, missingStorageFault } from '../instance/storage.js'

/** As whom a configuration runs. */
export interface Identity {
  /** Of the instance. */
  readonly name: string
  /** In words: "www-data:www-data". */
  readonly runsAs: string
  /** The address that a tag binds it to. */
  readonly bind?: string
  /** What would keep it from running, ready to print. */
  readonly errors: readonly string[]
  readonly notes: readonly string[]
}

/**
 * Finds out as whom a configuration runs. Throws CONFIG_INVALID for a name or tag that is wrong, and a user or group that
 * does not exist; everything else wrong is in `errors`.
 */
export function identify({ fileName, text, parts, files }: OpenedConfig): Identity {
  const instance = resolveInstance(fileName, text, undefined, undefined, parts)
  const isRoot = process.geteuid?.() === 0
  const { storagePath, holdsSecret } = glance(text, fileName)
  let isRoots = isRoot
  const checkFile = (file: FileFacts): void => {
    isRoots = checkConfigFile(file, instance.uid, holdsSecret, isRoot).isRoots && isRoots
  }
  const checks = [
    ...files.map((file) => () => checkFile(file)),
    ...(storagePath === undefined ? [] : [() => checkStorage(storagePath, instance, isRoot)]),
  ]
  const errors = checks.flatMap((check) => refusalOf(check, instance.uid))
  // Somebody else's may be started by root, of whom nobody here knows what it can make.
  const isStarter = isRoot || instance.uid === process.geteuid?.()
  if (isStarter && errors.length === 0 && storagePath !== undefined) {
    const fault = missingStorageFault(storagePath, instance, { isRoots, startedByRoot: isRoot })
    if (fault !== undefined) errors.push(fault)
  }
  return {
    name: instance.name,
    runsAs: runsAs(instance),
    ...(instance.bind !== undefined && { bind: instance.bind }),
    errors,
    notes: [
      ...instance.notes.map((note) => problemText(fileName, note)),
      ...(isRoot || instance.uid === process.geteuid?.()
        ? []
        : [`${fileName}:1:1: can be started by root and by ${instance.user} only`]),
    ],
  }
}

function runsAs({ user, group, umask, nice }: Instance): string {
  return [
    `${user}:${group}`,
    ...(umask === undefined ? [] : [`umask ${umask.toString(8).padStart(4, '0')}`]),
    ...(nice === undefined ? [] : [`nice ${nice}`]),
  ].join(', ')
}

function refusalOf(check: () => void, uid: number): string[] {
  try {
    check()
    return []
  } catch (error) {
    if (error instanceof ShoalError && error.code === 'FILE_EXPOSED') return [error.message]
    // A path that cannot be looked at by who asks says nothing of who runs it.
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return []
    if (error instanceof ShoalError && error.code === 'STORAGE_UNUSABLE')
      return uid === process.geteuid?.() ? [error.message] : []
    throw error
  }
}
