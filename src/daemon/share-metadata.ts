// What a share carries of owners, ACLs and extended attributes: its settings, and by default what the user that the
// daemon runs as can do with them.
import type { ShareConfig } from '../config/config.js'
import { Metadata } from '../core/metadata.js'
import { type AccountNames, OwnerMapping } from '../core/owners.js'
import { hasCapability } from '../instance/privileges.js'

type Settings = Pick<ShareConfig, 'owners' | 'ownerMap' | 'acls' | 'xattrs'>

/** Who the daemon runs as, for tests. */
export interface Running {
  readonly isRoot: boolean
  readonly mayChown: boolean
}

/** The process as it is. */
export function running(): Running {
  return { isRoot: process.geteuid?.() === 0, mayChown: hasCapability('CAP_CHOWN') }
}

export function metadataFor(settings: Settings, accounts: AccountNames, who: Running = running()): Metadata {
  const owners = settings.owners ?? (who.isRoot ? 'name' : 'ignore')
  const scope = { acls: settings.acls ?? who.isRoot, xattrs: settings.xattrs ?? [] }
  const by = owners === 'number' ? 'number' : 'name'
  return new Metadata(
    { owners: owners !== 'ignore', mayChown: who.mayChown, scope, withholdsSetid: who.isRoot },
    new OwnerMapping(accounts, { by, map: settings.ownerMap ?? {} }),
  )
}
