// What of owners, ACLs and extended attributes a share carries on this disk: what is configured, less what its file system
// cannot hold; and whether that is other than at the last look at everything, so that all has to be looked at again.
import { isScopeEmpty } from '../../core/attribute-scope.js'
import type { Metadata } from '../../core/metadata.js'
import type { FolderPool } from '../../folder/pool.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { DressesAnew } from './context.js'
import { dressingOf, isAnybodyNew } from './dressing-problems.js'
import type { ShareMeta } from './meta.js'
import type { ProblemBook } from './problems.js'

export interface CarriedOptions {
  /** The share's directory. */
  readonly dir: string
  readonly metadata: Metadata
  readonly pool: Pick<FolderPool, 'attributeSupport'>
  readonly meta: ShareMeta
  readonly index: () => ShareIndex
  readonly problems: () => ProblemBook
}

export class Carried {
  readonly #o: CarriedOptions
  #metadata: Metadata
  #dressesAnew: DressesAnew = 'nothing'

  constructor(options: CarriedOptions) {
    this.#o = options
    this.#metadata = options.metadata
  }

  get metadata(): Metadata {
    return this.#metadata
  }

  /** What has to be looked at again, as it is dressed otherwise than at the last look at everything. */
  get dressesAnew(): DressesAnew {
    return this.#dressesAnew
  }

  /** A file system that cannot hold what is to be carried says so once; the rest is carried all the same. */
  async findSupport(isHalted: boolean): Promise<void> {
    const { dir, pool, metadata, problems } = this.#o
    const { scope } = metadata.rules
    if (!isScopeEmpty(scope) && !isHalted) {
      // A disk that cannot be asked now is dressed all the same: what cannot be set is said path by path then.
      const support = await pool.attributeSupport(dir, scope).catch(() => scope)
      this.#metadata = metadata.within(support)
      const without = [
        ...(scope.acls && !support.acls ? ['ACLs'] : []),
        ...(support.xattrs.length < scope.xattrs.length ? ['extended attributes'] : []),
      ].join(' and ')
      const detail = `this file system holds no ${without}: they are left to the other members; turn them off here, or move the folder`
      if (without !== '') problems().set('share', 'attributes', 'ATTRIBUTES_UNSUPPORTED', detail)
    }
    this.#dressesAnew = this.#anew()
  }

  /**
   * Everything was looked at. `isAnew`: for an index that was made anew over content; that look takes files over as the
   * share has them, so what is newly carried of them is stated after the next start only.
   */
  noteFullScan(isAnew: boolean): void {
    if (!isAnew) this.#o.meta.dressing = dressingOf(this.#metadata)
    this.#dressesAnew = 'nothing'
  }

  #anew(): DressesAnew {
    const before = this.#o.meta.dressing
    const now = dressingOf(this.#metadata)
    if (before?.scope !== now.scope) return 'all'
    return before.owners !== now.owners || isAnybodyNew(this.#o.index(), this.#metadata)
      ? 'owners'
      : 'nothing'
  }
}
