// Where a vault's packs lie: the only thing that differs between a folder and a bucket (docs/design.md, "Vault"). Names
// of packs and the bytes in them are the vault's business; how they become durable is the storage's.
//
// One vault writes at a time and calls one changing function at a time; reads run beside them. A pack grows at its end
// while it is the newest (the tail), is sealed once, and goes as a whole.
// Every storage keeps test/vault/pack-storage.suite.ts.

export interface PackStorage {
  /** True: everything that changes something rejects with STORAGE_UNUSABLE and touches nothing. */
  readonly isReadOnly: boolean
  /** All packs, the tail being written among them, in any order. */
  list(): Promise<readonly PackFile[]>
  /**
   * `length` bytes from `offset`. Rejects with NOT_FOUND if the pack is not there or holds less; with IO if it could not
   * be read for another reason (details.code is EIO where the medium says so).
   */
  read(name: string, offset: number, length: number): Promise<Buffer>
  /**
   * Looks whether what lies elsewhere is still as it was; `list` leaves out what is not. A storage that looks whenever it is
   * asked has no such method. IO if nothing is where it was, or all is another's; otherwise rejects as far as nobody can tell now.
   */
  look?(): Promise<void>
  /** A pack as a file of this machine, for reading; a storage without files has no such method. */
  fileOf?(name: string): string
  /**
   * Adds to the end of a pack, which is made if it is not there; all of it is durable when it resolves, its name as well.
   * If it rejects, any beginning of the bytes may be there: `truncate` puts that right. IO; where there is no room,
   * the error of noRoom (storage-error.ts).
   */
  append(name: string, bytes: readonly Buffer[]): Promise<void>
  /** Cuts a pack that is not sealed to this length (it is no shorter now), durably. */
  truncate(name: string, bytes: number): Promise<void>
  /** The pack never changes any more. Sealing again what is sealed is nothing. */
  seal(name: string): Promise<void>
  /** Removes a pack; one that is not there is no error. */
  remove(name: string): Promise<void>
  /** A small file (64 KiB) beside the packs; undefined if there is none. */
  getMeta(name: string): Promise<Buffer | undefined>
  /** Replaces it in one step, durably. No secrets. */
  putMeta(name: string, bytes: Buffer): Promise<void>
  /** Bytes that can still be added; undefined: unknown, or without end. */
  freeBytes(): Promise<number | undefined>
  /** Lets go of what is open; nothing is called any more. */
  close(): Promise<void>
}

export interface PackFile {
  readonly name: string
  readonly bytes: number
}

/** A pack is sealed at about this size; as much is kept free in a folder, so that compaction can work on a full disk. */
export const PACK_BYTES: number = 64 * 2 ** 20

const NAME = /^([0-9]{8})\.pack$/

/** The name of a pack: its number, 1 to 99,999,999, in eight digits. */
export function packName(number: number): string {
  return `${String(number).padStart(8, '0')}.pack`
}

/** The number of a pack, or undefined for a name that is none of ours. */
export function packNumber(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
