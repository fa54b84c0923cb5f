// Metadata as nodes of tests carry it: by default none, with accounts that are made up.
import type { AccountKind } from '../../src/core/attributes.js'
import { Metadata, type MetadataRules } from '../../src/core/metadata.js'
import { type AccountNames, OwnerMapping, type OwnerRules } from '../../src/core/owners.js'
import { NO_SCOPE } from '../../src/core/raw-attributes.js'

/** Accounts by kind, name -> number; more may be added later. */
export type Accounts = Partial<Record<AccountKind, Record<string, number>>>

export function accountsOf(accounts: Accounts): AccountNames {
  return {
    nameOf: (kind, id) => Object.entries(accounts[kind] ?? {}).find(([, number]) => number === id)?.[0] ?? '',
    numberOf: (kind, name) => new Map(Object.entries(accounts[kind] ?? {})).get(name),
  }
}

export function metadataOf(
  rules: Partial<MetadataRules> = {},
  accounts: Accounts = {},
  owners: Partial<OwnerRules> = {},
): Metadata {
  return new Metadata(
    { owners: false, mayChown: true, scope: NO_SCOPE, withholdsSetid: false, ...rules },
    new OwnerMapping(accountsOf(accounts), { by: 'name', map: {}, ...owners }),
  )
}
