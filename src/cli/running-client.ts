// The daemon of a configuration file, also where the file has become a bad one since the daemon read it: then what says how
// the daemon is must not be the first to fail.
import { readConfig } from '../config/secrets.js'
import { storagePathIn } from '../config/storage-path.js'
import { type ControlClient, controlClient } from '../control/client.js'
import { ShoalError } from '../core/error.js'

export interface RunningClient {
  readonly client: ControlClient
  readonly storagePath: string
}

/** Throws as readConfig, unless the file is bad and a daemon runs where it says that its storage is. */
export async function runningClient(configFile: string): Promise<RunningClient> {
  try {
    const { storagePath } = (await readConfig(configFile)).config
    return { client: controlClient(storagePath), storagePath }
  } catch (thrown) {
    const isBad = thrown instanceof ShoalError && ['CONFIG_INVALID', 'NOT_YET'].includes(thrown.code)
    const storagePath = isBad ? await storagePathIn(configFile) : undefined
    if (storagePath === undefined) throw thrown
    const client = controlClient(storagePath)
    if (!(await answers(client))) throw thrown
    return { client, storagePath }
  }
}

async function answers(client: ControlClient): Promise<boolean> {
  try {
    await client.folders()
    return true
  } catch (thrown) {
    // A daemon of an earlier version does not know of folders, and is there.
    if (thrown instanceof ShoalError) return thrown.code === 'NOT_FOUND'
    throw thrown
  }
}
