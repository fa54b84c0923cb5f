// What `shoal share` and `shoal join` ask for and get from new-share.ts.
import type { NewConfig } from '../config/new-config.js'

export interface NewShareOptions {
  readonly config: NewConfig
  /** The file to be written. */
  readonly configFile: string
  /** Folders whose *.conf files are configurations of this machine. */
  readonly configFolders: readonly string[]
  /** Make the folder if it is not there, and go on with one that has this very share's marker. */
  readonly isJoining: boolean
  readonly nowMs: () => number
}

export interface NewShare {
  /** The folder with links followed, which is what the configuration says. */
  readonly dir: string
  /** The user that its daemon will run as. */
  readonly runsAs: string
  /** Whether anything but our own was in the folder. */
  readonly hadContent: boolean
}
