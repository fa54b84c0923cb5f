// Where things lie below a vault's prefix in its bucket: the packs in a folder of their own, small files beside it.

export const PACKS = 'packs/'
/** Says which node writes there. */
export const OWNER = 'owner'
