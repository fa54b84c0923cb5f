// The keys of an entry of shared_folders, and those of folder_defaults, which are the same under BitTorrent Sync's
// other names for them.
import { z } from 'zod'
import { type CopiesPromise, MAX_COPIES } from '../core/copies.js'
import type { DriftRule } from '../core/drift-rules.js'
import type { LimitRule } from '../core/limit-schedule.js'
import { driftRules } from './drift-rules.js'
import { type HistoryShape, history } from './history-key.js'
import { type HookShape, hooks } from './hook-keys.js'
import { done, type Keys, notYet, works } from './key-info.js'
import { limitRules, rate } from './limit-rules.js'
import { SCRUB_EVERY, type ScrubEvery } from './scrub.js'
import {
  accountMap,
  bucketPlace,
  flag,
  hosts,
  ownersBy,
  path,
  text,
  whole,
  wrong,
  wrongSecret,
  xattrPatterns,
} from './values.js'

/** What is absent is as folder_defaults says, or its default. */
export interface ShareShape {
  readonly secret: string | { readonly file: string }
  readonly dir: string
  readonly vault?: string | undefined
  readonly known_hosts?: readonly string[] | undefined
  readonly search_lan?: boolean | undefined
  readonly use_dht?: boolean | undefined
  readonly use_sync_trash?: boolean | undefined
  readonly hard_links: boolean
  readonly use_relay_server?: boolean | undefined
  readonly overwrite_changes: boolean
  readonly follow: 'all' | 'releases'
  readonly releases?: { readonly keep: number } | undefined
  readonly copies?: CopiesPromise | undefined
  readonly offsite?: boolean | undefined
  readonly history?: HistoryShape | undefined
  readonly drift: readonly DriftRule[]
  /** kB/s of 1024 bytes; 0: none. */
  readonly download_limit: number
  readonly upload_limit: number
  readonly limits: readonly LimitRule[]
  readonly on_change: readonly HookShape[]
  readonly sparse: boolean
  readonly scrub: ScrubEvery
  readonly padding?: 'padme' | 'none' | undefined
  readonly use_tracker?: boolean | undefined
  readonly selective_sync: boolean
  readonly owners?: OwnersBy | undefined
  readonly owner_map?: Readonly<Record<string, string>> | undefined
  readonly acls?: boolean | undefined
  readonly xattrs?: readonly string[] | undefined
}

/** How owners are carried. */
export type OwnersBy = 'name' | 'number' | 'ignore'

export interface FolderDefaults {
  readonly known_hosts?: readonly string[] | undefined
  readonly use_lan_broadcast?: boolean | undefined
  readonly use_dht?: boolean | undefined
  readonly delete_to_trash?: boolean | undefined
  readonly use_relay?: boolean | undefined
  readonly offsite?: boolean | undefined
  readonly use_tracker?: boolean | undefined
  readonly lan_discovery_mode?: number | undefined
  readonly owners?: OwnersBy | undefined
  readonly owner_map?: Readonly<Record<string, string>> | undefined
  readonly acls?: boolean | undefined
  readonly xattrs?: readonly string[] | undefined
}

const HOSTS = 'list of `"host:port"`'
const NO_TRACKER = 'there is no tracker; devices find each other by `known_hosts`, `search_lan` and `use_dht`'
const copiesFault = wrong('{"min": on how many devices, "offsite": on how many of those off-site}')
const releasesFault = wrong('{"keep": how many releases to keep}')
const isTrue = (value: boolean | undefined): boolean => value === true

const OWNERS_BY = '`"name"`, `"number"` or `"ignore"`'
const OWNERS_DEFAULT = 'by who the daemon runs as: root `"name"`, others `"ignore"`'
const ACCOUNT_MAP = 'object of names'
const ACLS_DEFAULT = 'by who the daemon runs as: root `true`, others `false`'
const XATTR_PATTERNS = 'list of patterns, `*` for any characters'

export const SHARE: Keys<ShareShape> = {
  secret: works(
    z.union([text('a secret'), z.object({ file: path })], {
      error: wrongSecret('a secret, or {"file": "path of a file that holds it"}'),
    }),
    { type: 'text or object', default: 'required' },
    'a write, read or blind secret (`shoal secret new`, `shoal secret show`), or `{"file": "PATH"}` of a file that holds it. Write secrets of BitTorrent Sync (`A...`, `D...`) are accepted',
  ),
  dir: works(
    path,
    { type: 'path', default: 'required' },
    'the folder; shared folders must not lie in one another, by their paths or where links lead',
  ),
  vault: works(
    bucketPlace.optional(),
    { type: '`"s3://BUCKET/PREFIX"`', default: 'in `dir`' },
    'with a blind secret: keep the vault in a bucket of an S3-compatible server; `dir` then holds what waits for it. See [docs/buckets.md](buckets.md)',
  ),
  known_hosts: works(
    hosts.optional(),
    { type: HOSTS, default: '`[]`' },
    'addresses of devices, IPv6 in brackets; tried for ever. One text with commas is understood, too',
  ),
  search_lan: works(
    flag.optional(),
    { type: 'flag', default: '`true`' },
    'look for devices on the local network',
  ),
  use_dht: works(
    flag.optional(),
    { type: 'flag', default: '`false`' },
    'look for devices in the DHT of `bootstrap`, or without that in the public one',
  ),
  use_sync_trash: works(
    flag.optional(),
    { type: 'flag', default: '`true`' },
    'keep what others replaced or deleted in the archive, `.shoal/archive`',
  ),
  history: works(
    history.optional(),
    { type: 'object', default: 'what [History](#history) says' },
    'what of the past this node keeps: `{"keep": "30d", "keep_weekly": 26, "max_size": "500GB"}`',
  ),
  hard_links: works(
    flag.default(true),
    { type: 'flag' },
    'names of one file inside the share are names of one file on all nodes that can; `false`: each is a file of its own',
  ),
  overwrite_changes: works(
    flag.default(false),
    { type: 'flag' },
    'with a read secret: put back what was changed here, as `"drift": "restore"` does',
  ),
  drift: works(
    driftRules.default([]),
    { type: '`"report"`, `"restore"` or a list of rules', default: '`"report"`' },
    'with a read secret: what is done about changes made here; see [Read-only folders](#read-only-folders)',
  ),
  download_limit: works(
    rate.default(0),
    { type: 'whole number', unit: 'kB/s' },
    'most to receive for this folder, beside the limit for all; 0: no limit of its own. See [limits.md](limits.md)',
  ),
  upload_limit: works(
    rate.default(0),
    { type: 'whole number', unit: 'kB/s' },
    'most to send for this folder, beside the limit for all; 0: no limit of its own',
  ),
  limits: works(
    limitRules.default([]),
    { type: 'list of rules' },
    'other limits for this folder at certain times, as `limits` of the root has them for all',
  ),
  on_change: works(
    hooks.default([]),
    { type: 'list of hooks' },
    'programs to run after changes of others have been brought here, below',
  ),
  owners: works(
    ownersBy.optional(),
    { type: OWNERS_BY, default: OWNERS_DEFAULT },
    'carry owner and group of files: by name, with the number where nobody of that name is here; by number alone; or not at all, as a daemon that is not root can give no file away',
  ),
  owner_map: works(
    accountMap.optional(),
    { type: ACCOUNT_MAP, default: '`{}`' },
    'users and groups that go by another name here, for owners and ACLs: `{"alice": "www-data"}` gives what the share says is of alice to www-data, and says alice of what is of www-data here',
  ),
  acls: works(
    flag.optional(),
    { type: 'flag', default: ACLS_DEFAULT },
    'carry POSIX ACLs, access and default; names in them as in `owners`, by name if owners are ignored',
  ),
  xattrs: works(
    xattrPatterns.optional(),
    { type: XATTR_PATTERNS, default: '`[]`' },
    'carry extended attributes whose name matches one of these: `["user.*"]`; only those of `user.` can be carried',
  ),
  sparse: works(
    flag.default(true),
    { type: 'flag' },
    'blocks of zeros in files that come here take no room on the disk: files with holes keep them',
  ),
  scrub: works(
    z.enum(SCRUB_EVERY, { error: wrong('"never", "daily", "weekly" or "monthly"') }).default('never'),
    { type: '`"never"`, `"daily"`, `"weekly"` or `"monthly"`' },
    'read all that this node holds again so often, and fetch what was damaged anew; `shoal verify` does it at once',
  ),
  padding: works(
    z.enum(['padme', 'none'], { error: wrong('"padme" or "none"') }).optional(),
    { type: '`"padme"` or `"none"`', default: 'as soon as another device of the share pads' },
    'pad what is new or changes here before it is sealed, so that who holds the blind secret alone learns sizes only coarsely; costs 1 to 2 % more room on blind nodes and transfer',
  ),
  follow: works(
    z.enum(['all', 'releases'], { error: wrong('"all" or "releases"') }).default('all'),
    { type: '`"all"` or `"releases"`' },
    'with a read secret: hold the releases alone, and show the one that is to be shown as `current`',
  ),
  releases: works(
    z
      .strictObject(
        { keep: whole(1, 256, 'how many releases to keep, from 1 to 256') },
        { error: releasesFault },
      )
      .optional(),
    { type: 'object', default: 'all are kept' },
    'with a write secret: `{"keep": 5}` removes the oldest releases when one is made, but none that is shown or was before',
  ),
  copies: works(
    z
      .strictObject(
        {
          min: whole(1, MAX_COPIES, `on how many devices, from 1 to ${MAX_COPIES}`).default(1),
          offsite: whole(0, MAX_COPIES, `on how many devices off-site, from 0 to ${MAX_COPIES}`).default(0),
        },
        { error: copiesFault },
      )
      .refine(({ min, offsite }) => offsite <= min, {
        path: ['offsite'],
        error: 'is more than "min", expected at most as many',
      })
      .optional(),
    { type: 'object', default: 'nothing is promised' },
    'on how many devices everything is to be, this one counted, and on how many of those that are off-site: `{"min": 3, "offsite": 1}`; see [copies.md](copies.md)',
  ),
  offsite: works(
    flag.optional(),
    { type: 'flag', default: '`false`' },
    'this device counts as off-site where others count copies',
  ),
  use_relay_server: works(
    flag.optional(),
    { type: 'flag', default: '`true`' },
    'reach devices through the `relays` where no direct connection can be had; `false`: no connection through a relay ever carries this share',
  ),
  selective_sync: notYet(
    flag.default(false),
    { type: 'flag' },
    'fetch only the files that are asked for',
    'the whole share is fetched',
    isTrue,
  ),
  use_tracker: done(flag, { type: 'flag' }, NO_TRACKER, isTrue),
}

export const FOLDER_DEFAULTS: Keys<FolderDefaults> = {
  known_hosts: works(hosts.optional(), { type: HOSTS, default: '`[]`' }, '`known_hosts`'),
  use_lan_broadcast: works(flag.optional(), { type: 'flag', default: '`true`' }, '`search_lan`'),
  use_dht: works(flag.optional(), { type: 'flag', default: '`false`' }, '`use_dht`'),
  delete_to_trash: works(flag.optional(), { type: 'flag', default: '`true`' }, '`use_sync_trash`'),
  use_relay: works(flag.optional(), { type: 'flag', default: '`true`' }, '`use_relay_server`'),
  use_tracker: done(flag, { type: 'flag' }, NO_TRACKER, isTrue),
  owners: works(ownersBy.optional(), { type: OWNERS_BY, default: OWNERS_DEFAULT }, '`owners`'),
  owner_map: works(accountMap.optional(), { type: ACCOUNT_MAP, default: '`{}`' }, '`owner_map`'),
  acls: works(flag.optional(), { type: 'flag', default: ACLS_DEFAULT }, '`acls`'),
  xattrs: works(xattrPatterns.optional(), { type: XATTR_PATTERNS, default: '`[]`' }, '`xattrs`'),
  offsite: works(flag.optional(), { type: 'flag', default: '`false`' }, '`offsite`'),
  lan_discovery_mode: done(
    whole(0, 255, 'a number from 0 to 255'),
    { type: 'whole number' },
    'the search on the local network uses multicast; `use_lan_broadcast` turns it off',
  ),
}
