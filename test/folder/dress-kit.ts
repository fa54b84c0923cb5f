// Tests of what sets owners, attributes and modes: as root, on a file system that has it all, or as nobody in a share of
// nobody's.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { mock, type TestContext, test } from 'node:test'
import { ACL_ACCESS } from '../../src/core/raw-attributes.js'
import type { CommitResult } from '../../src/folder/commit-job.js'
import type { Dress } from '../../src/folder/dress-job.js'
import { stageBatch } from '../../src/folder/stage.js'
import { packStageJobs, type StagedAs, type StageFileJob } from '../../src/folder/stage-job.js'
import { IS_ROOT } from '../support/privileges.js'
import { ALL, acl, asNobody, NEEDS_ATTRIBUTES, NOBODY, packed } from './attribute-kit.js'
import { KEYS, Share, token } from './commit-kit.js'

export const ALICE = 12345
export const STAFF = 23456
export const TIME_US = 1_500_000_000_000_000

export type Done = CommitResult & { readonly status: 'done' }

/** Each test as root, on a file system that has it all. */
export function dressed(name: string, body: (share: Share, context: TestContext) => void): void {
  const skip = NEEDS_ATTRIBUTES || (IS_ROOT ? false : 'needs root')
  test(name, { skip }, (context) => {
    const share = new Share()
    share.scope = ALL
    try {
      body(share, context)
    } finally {
      mock.restoreAll()
      share.remove()
    }
  })
}

export function done(result: CommitResult): Done {
  assert.equal(result.status, 'done', JSON.stringify(result))
  return result as Done
}

export function owner(share: Share, name: string): [number, number] {
  const { uid, gid } = fs.lstatSync(share.at(name))
  return [uid, gid]
}

/** Everything that a dress is about, of a file with an ACL. */
export const ACL_640: Buffer = acl(0o640, 'user', ALICE, 4)
export const DRESS: Dress = {
  uid: ALICE,
  gid: STAFF,
  attributes: packed({ [ACL_ACCESS]: ACL_640, 'user.a': 'one' }),
  modeWithoutAcl: 0o600,
}
export const WORN: Readonly<Record<string, string>> = {
  [ACL_ACCESS]: ACL_640.toString('hex'),
  'user.a': 'one',
}

export function stageFile(share: Share, job: Partial<StageFileJob>): StagedAs {
  const all: StageFileJob = {
    type: 'file',
    token: token(1),
    size: 0,
    begin: true,
    final: true,
    parts: [],
    ...job,
  }
  const [result] = stageBatch(
    packStageJobs(share.root, KEYS, [all], new ArrayBuffer(0), { scope: share.scope }),
  )
  assert.equal(result!.failed, undefined)
  return result!.staged!
}

/** Where the daemon runs as nobody, in a share of nobody's. */
export function unprivileged(name: string, body: (share: Share) => void): void {
  dressed(name, (share) => {
    for (const each of ['', '.shoal', '.shoal/staging', '.shoal/archive'])
      fs.chownSync(share.at(each), NOBODY, NOBODY)
    asNobody(() => body(share))
  })
}
