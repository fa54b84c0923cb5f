// The part of hypercore-storage 3.3 that src/feed uses. The package ships no types.
declare module 'hypercore-storage' {
  /** Writes of one or more sessions that reach the database as one batch. */
  export interface Atom {
    /** Registers what runs after the batch was written and before the sessions' states become the cores' states. */
    onflush(handler: () => Promise<void>): void
    flush(): Promise<void>
  }

  export default class CoreStorage {
    constructor(
      directory: string,
      options: { readonly writeBufferSize?: number; readonly readOnly?: boolean },
    )
    readonly rocks: {
      /** `path` of the write-ahead log that the next write goes to, relative to the database, with a leading slash. */
      currentWalFile(): Promise<{ readonly path: string }>
    }
    ready(): Promise<void>
    close(): Promise<void>
    createAtom(): Atom
  }
}
