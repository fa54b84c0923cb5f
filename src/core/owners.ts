// Who is who on two nodes: the accounts that a share names, and the numbers that this node's files have (section 11 of
// docs/design.md). By name, with the number for a name that nobody has here or that the writer did not know; or by
// number alone. `map` gives a name of the share another one here, for users and groups alike; what is published has the
// share's name again, as long as only one leads here.
import type { AccountKind, Principal } from './attributes.js'

/** The accounts of this node, from memory: whoever asks has seen to it that they are known. Names match to the letter. */
export interface AccountNames {
  /** '' if there is none of that number. */
  nameOf(kind: AccountKind, id: number): string
  numberOf(kind: AccountKind, name: string): number | undefined
  /** All these are about to be asked for: who has to look them up can do so at once. */
  foresee?(kind: AccountKind, names: readonly string[]): void
}

export interface OwnerRules {
  readonly by: 'name' | 'number'
  /** Share's name -> this node's name. */
  readonly map: Readonly<Record<string, string>>
}

/** A number of this node. */
export interface LocalAccount {
  readonly id: number
  /** Whether it is that very account, or only has the number of one whose name nobody has here. */
  readonly isSure: boolean
}

export class OwnerMapping {
  readonly rules: OwnerRules
  readonly #names: AccountNames
  readonly #byNumber: boolean
  readonly #toLocal: ReadonlyMap<string, string>
  readonly #toShare = new Map<string, string>()

  constructor(names: AccountNames, rules: OwnerRules) {
    this.rules = rules
    this.#names = names
    this.#byNumber = rules.by === 'number'
    this.#toLocal = new Map(Object.entries(rules.map))
    const ambiguous = new Set<string>()
    for (const [shared, local] of this.#toLocal) {
      if (this.#toShare.has(local)) ambiguous.add(local)
      this.#toShare.set(local, shared)
    }
    for (const local of ambiguous) this.#toShare.delete(local)
  }

  /** The number that somebody of the share has on this node. */
  local(kind: AccountKind, { id, name }: Principal): LocalAccount {
    if (this.#byNumber || name === '') return { id, isSure: true }
    const number = this.#names.numberOf(kind, this.localName(name))
    return number === undefined ? { id, isSure: false } : { id: number, isSure: true }
  }

  /** Those are about to be asked for. */
  foresee(all: readonly (Principal & { readonly kind: AccountKind })[]): void {
    if (this.#byNumber || all.length < 2) return
    for (const kind of ['user', 'group'] as const) {
      const names = all.filter((each) => each.kind === kind && each.name !== '')
      this.#names.foresee?.(
        kind,
        names.map(({ name }) => this.localName(name)),
      )
    }
  }

  /** The name that somebody of the share goes by here. */
  localName(name: string): string {
    return this.#toLocal.get(name) ?? name
  }

  /** How the share is told of an account of this node. */
  shared(kind: AccountKind, id: number): Principal {
    if (this.#byNumber) return { id, name: '' }
    const name = this.#names.nameOf(kind, id)
    return { id, name: this.#toShare.get(name) ?? name }
  }
}

/** Whether a name can be looked up: one of digits alone would be taken for a number, one with a dash for an option. */
export function isAccountName(name: string): boolean {
  return name !== '' && !/^-|^\d+$|[\0\n:]/.test(name)
}
