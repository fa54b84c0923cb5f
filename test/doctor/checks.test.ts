// What the doctor says of facts: each check with a bad case and the good one beside it. No machine is looked at.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { StatusReport } from '../../src/control/schema.js'
import { checkClocks, checkDaemon, checkProblems } from '../../src/doctor/checks/daemon.js'
import {
  checkFileSystem,
  checkLeftovers,
  checkShareFolder,
  checkSpace,
  checkStorageFolder,
  type FileSystemFacts,
  type FolderFacts,
  type LeftoverFacts,
  type ShareFacts,
} from '../../src/doctor/checks/folders.js'
import {
  checkDescriptors,
  checkInotify,
  checkSystem,
  checkTemporary,
  checkTime,
  type InotifyFacts,
} from '../../src/doctor/checks/machine.js'
import { checkHosts, checkPort } from '../../src/doctor/checks/network.js'
import { checkSecrets } from '../../src/doctor/checks/secrets.js'
import { type Finding, isWell } from '../../src/doctor/finding.js'
import { member, share, status } from '../control/fake-backend.js'

interface Case {
  readonly name: string
  readonly findings: readonly Finding[]
  /** Of each finding: its level, and a part of its text and of what to do. */
  readonly expect: readonly (readonly [level: Finding['level'], text: RegExp, todo?: RegExp])[]
}

function cases(list: readonly Case[]): void {
  for (const { name, findings, expect } of list)
    it(name, () => {
      assert.deepEqual(
        findings.map(({ level }) => level),
        expect.map(([level]) => level),
        JSON.stringify(findings),
      )
      for (const [at, [level, text, todo]] of expect.entries()) {
        const finding = findings[at]!
        assert.match(finding.text, text)
        assert.equal(finding.todo === null, level === 'ok', 'what is not well has something to do')
        if (todo !== undefined) assert.match(finding.todo ?? '', todo)
      }
      assert.equal(isWell(findings), !expect.some(([level]) => level === 'fail'))
    })
}

const MONTH_MS = 30 * 86_400_000
const NOW = Date.parse('2026-11-20T18:00:00Z')

describe('the machine', () => {
  const linux = { node: '20.20.2', leastNode: '20.20.0', platform: 'linux', kernel: '6.1.0-18-amd64' }
  cases([
    { name: 'all well', findings: checkSystem(linux), expect: [['ok', /node 20\.20\.2, Linux 6\.1\.0/]] },
    {
      name: 'an old node',
      findings: checkSystem({ ...linux, node: '20.9.1' }),
      expect: [['fail', /20\.9\.1, expected 20\.20\.0/, /newer node/]],
    },
    {
      name: 'an old kernel',
      findings: checkSystem({ ...linux, kernel: '4.9.0' }),
      expect: [['warn', /Linux 4\.9\.0/, /kernel/]],
    },
    {
      name: 'no Linux',
      findings: checkSystem({ ...linux, platform: 'darwin' }),
      expect: [['warn', /darwin/]],
    },
    {
      name: 'a clock before the program was made',
      findings: checkTime({ nowMs: 0, builtMs: NOW, isSynchronised: undefined }),
      expect: [['fail', /1970-01-01T00:00:00Z, which is before/, /timedatectl/]],
    },
    {
      name: 'a clock far ahead',
      findings: checkTime({ nowMs: NOW + 400 * MONTH_MS, builtMs: NOW, isSynchronised: undefined }),
      expect: [['fail', /far in the future/]],
    },
    {
      name: 'a clock that nobody keeps',
      findings: checkTime({ nowMs: NOW, builtMs: NOW - MONTH_MS, isSynchronised: false }),
      expect: [['warn', /no service keeps it right/]],
    },
    {
      name: 'a clock kept by the network',
      findings: checkTime({ nowMs: NOW, builtMs: NOW - MONTH_MS, isSynchronised: true }),
      expect: [['ok', /2026-11-20T18:00:00Z, kept by the network/]],
    },
    {
      name: 'previews that were killed',
      findings: checkTemporary({ previews: ['/tmp/shoal-preview-x'] }),
      expect: [['warn', /1 folder of previews/, /rm -r \/tmp\/shoal-preview-x$/]],
    },
    {
      name: 'such a name that somebody chose as a command',
      findings: checkTemporary({ previews: ["/tmp/shoal-preview-; id 'x"] }),
      expect: [['warn', /1 folder/, /rm -r '\/tmp\/shoal-preview-; id '\\''x'$/]],
    },
    { name: 'no such previews', findings: checkTemporary({ previews: [] }), expect: [] },
  ])
})

describe('limits', () => {
  const files = { limit: 1_048_576, used: 100, systemUsed: 1000, systemLimit: 100_000 }
  const inotify: InotifyFacts = {
    maxWatches: 65_536,
    maxInstances: 128,
    directories: 500,
    isMore: false,
    usedByOthers: 20,
    shares: 2,
    instancesOfOthers: 5,
  }
  cases([
    { name: 'many open files', findings: checkDescriptors(files), expect: [['ok', /1048576 open files/]] },
    {
      name: 'hardly any open files',
      findings: checkDescriptors({ ...files, limit: 128, used: undefined }),
      expect: [['fail', /^128 open files allowed$/, /LimitNOFILE/]],
    },
    {
      name: 'nearly all of them used',
      findings: checkDescriptors({ ...files, limit: 4096, used: 4000 }),
      expect: [['warn', /4096 open files allowed, the daemon has 4000/]],
    },
    {
      name: 'the machine has nearly all open',
      findings: checkDescriptors({ ...files, systemUsed: 99_000 }),
      expect: [
        ['ok', /./],
        ['warn', /99000 of 100000/, /fs\.file-max/],
      ],
    },
    {
      name: 'enough watches',
      findings: checkInotify(inotify),
      expect: [['ok', /500 directories to watch, 65536 watches/]],
    },
    {
      name: 'more directories than watches',
      findings: checkInotify({ ...inotify, directories: 60_000, usedByOthers: 6000 }),
      expect: [['warn', /60000 directories to watch, 6000 watches/, /max_user_watches=262144/]],
    },
    {
      name: 'directories without end',
      findings: checkInotify({ ...inotify, maxWatches: 2_000_000, directories: 1_000_000, isMore: true }),
      expect: [['warn', /more than 1000000 directories/, /max_user_watches=4194304/]],
    },
    {
      name: 'more folders than instances',
      findings: checkInotify({ ...inotify, shares: 130 }),
      expect: [['warn', /130 folders to watch/, /max_user_instances=512/]],
    },
    {
      name: 'few watches, whatever is to be watched',
      findings: checkInotify({ ...inotify, maxWatches: 4096, directories: undefined, shares: 0 }),
      expect: [['warn', /^4096 directories can be watched/]],
    },
    {
      name: 'a kernel that does not tell',
      findings: checkInotify({ ...inotify, maxWatches: undefined }),
      expect: [['warn', /does not tell/]],
    },
  ])
})

const FOLDER: FolderFacts = { path: '/srv/a', state: 'there', mayRead: true, mayWrite: true }
const NO_LEFTOVERS: LeftoverFacts = {
  staged: 0,
  stagedBytes: 0,
  oldestMs: undefined,
  held: 0,
  recovered: 0,
  recoveredPath: '/srv/a/.shoal/archive/recovered',
}
const SHARE: ShareFacts = {
  folder: FOLDER,
  grade: 'write',
  marker: { state: 'ours' },
  leftovers: NO_LEFTOVERS,
}

describe('storage and folders', () => {
  const storage = { folder: { ...FOLDER, path: '/var/lib/shoal/a' }, exposed: [], halfWritten: [] }
  const lacking = (folder: Partial<FolderFacts>): ShareFacts => ({
    ...SHARE,
    folder: { ...FOLDER, ...folder },
  })
  cases([
    { name: 'a storage', findings: checkStorageFolder(storage), expect: [['ok', /user's alone/]] },
    {
      name: 'a storage that cannot be written',
      findings: checkStorageFolder({ ...storage, folder: { ...FOLDER, mayWrite: false } }),
      expect: [['fail', /cannot be written/]],
    },
    {
      name: 'a key that others can read',
      findings: checkStorageFolder({ ...storage, exposed: [{ path: '/s/identity.json', mode: 0o644 }] }),
      expect: [['fail', /identity\.json .*mode 0644/, /^chmod 600 \/s\/identity\.json$/]],
    },
    {
      name: 'half-written files',
      findings: checkStorageFolder({ ...storage, halfWritten: ['/s/x.new'] }),
      expect: [
        ['ok', /./],
        ['warn', /1 half-written file/, /rm \/s\/x\.new/],
      ],
    },
    {
      name: 'a folder',
      findings: checkShareFolder(SHARE, true),
      expect: [['ok', /\(write\), has the marker/]],
    },
    {
      name: 'a folder that is gone',
      findings: checkShareFolder(lacking({ state: 'missing' }), true),
      expect: [['fail', /is not there/, /mounted/]],
    },
    {
      name: 'a folder that is still to be made',
      findings: checkShareFolder({ ...lacking({ state: 'missing' }), marker: { state: 'none' } }, false),
      expect: [['ok', /the first run makes it/]],
    },
    {
      name: 'a folder that is gone while the daemon does not run',
      findings: checkShareFolder(
        { ...lacking({ state: 'missing' }), marker: { state: 'none' } },
        false,
        true,
      ),
      expect: [['warn', /is not there/, /mounted/]],
    },
    {
      name: 'the empty place of a disk that is not mounted',
      findings: checkShareFolder({ ...SHARE, marker: { state: 'none' } }, false, true),
      expect: [['warn', /no marker/, /mounted/]],
    },
    {
      name: 'a folder that is a file',
      findings: checkShareFolder(lacking({ state: 'no-folder' }), true),
      expect: [['fail', /is no folder/]],
    },
    {
      name: 'a folder that cannot be read',
      findings: checkShareFolder(lacking({ mayRead: false }), true),
      expect: [['fail', /cannot be read/, /right/]],
    },
    {
      name: 'the marker of another share',
      findings: checkShareFolder(
        { ...SHARE, marker: { state: 'wrong', detail: '.shoal/marker.json names another share' } },
        true,
      ),
      expect: [['fail', /names another share/, /shoal approve/]],
    },
    {
      name: 'secrets that are private',
      findings: checkSecrets({ files: [{ path: '/etc/shoal/a.conf', mode: 0o600, uid: 0 }] }),
      expect: [['ok', /a\.conf holds a secret .*0600/]],
    },
  ])
})

describe('leftovers', () => {
  const left = (changes: Partial<LeftoverFacts>): ShareFacts => ({
    ...SHARE,
    leftovers: { ...NO_LEFTOVERS, ...changes },
  })
  const staged = { staged: 2, stagedBytes: 1536, oldestMs: 1000 }
  cases([
    { name: 'none', findings: checkLeftovers(SHARE, true), expect: [] },
    {
      name: 'downloads under way',
      findings: checkLeftovers(left(staged), true),
      expect: [['ok', /2 files being put together \(1\.5 KiB\)$/]],
    },
    {
      name: 'downloads of a stopped daemon',
      findings: checkLeftovers(left(staged), false),
      expect: [['ok', /the next run goes on/]],
    },
    {
      name: 'downloads that nobody goes on with',
      findings: checkLeftovers(left({ ...staged, oldestMs: MONTH_MS }), true),
      expect: [['warn', /not touched for 30 days/, /restart/]],
    },
    {
      name: 'edits displaced by a crash',
      findings: checkLeftovers(left({ held: 1 }), false),
      expect: [['warn', /1 file displaced/, /start the daemon/]],
    },
    {
      name: 'edits put aside after one',
      findings: checkLeftovers(left({ recovered: 3 }), true),
      expect: [['warn', /3 files in .*recovered/, /an edit among them/]],
    },
  ])
})

describe('file systems and room', () => {
  const ext4: FileSystemFacts = {
    path: '/srv/a',
    type: 'ext4',
    isReadOnly: false,
    freeRename: true,
    hardLinks: true,
    tellsCase: true,
    xattrs: true,
    acls: true,
    wantsAcls: true,
    wantsXattrs: true,
  }
  const all = { freeRename: false, hardLinks: false, tellsCase: false, xattrs: false, acls: false }
  const space = {
    path: '/srv/a',
    freeBytes: 50 << 30,
    totalBytes: 100 * 2 ** 30,
    freeFiles: 1e6,
    totalFiles: 1e7,
    needBytes: 0,
    reserveBytes: 0,
  }
  const gib = 2 ** 30
  cases([
    { name: 'ext4', findings: checkFileSystem(ext4), expect: [['ok', /ext4.* can do all/]] },
    {
      name: 'one that can nothing',
      findings: checkFileSystem({ ...ext4, type: 'vfat', ...all }),
      expect: [
        ['warn', /RENAME_NOREPLACE/],
        ['warn', /hard links/],
        ['warn', /A from a/],
        ['warn', /no ACLs/],
        ['warn', /extended attributes/],
      ],
    },
    {
      name: 'what is not asked for is not missed',
      findings: checkFileSystem({
        ...ext4,
        xattrs: false,
        acls: false,
        wantsAcls: false,
        wantsXattrs: false,
      }),
      expect: [['ok', /./]],
    },
    {
      name: 'a network file system',
      findings: checkFileSystem({ ...ext4, type: 'nfs4' }),
      expect: [['warn', /network file system/, /folder_rescan_interval/]],
    },
    {
      name: 'mounted read-only',
      findings: checkFileSystem({ ...ext4, isReadOnly: true }),
      expect: [['fail', /read-only/, /remount/]],
    },
    {
      name: 'room',
      findings: checkSpace({ ...space, freeBytes: 50 * gib, needBytes: gib }),
      expect: [['ok', /50\.0 GiB of 100 GiB free, 1\.0 GiB still to come/]],
    },
    {
      name: 'little room',
      findings: checkSpace({ ...space, freeBytes: gib / 2 }),
      expect: [['warn', /512 MiB of 100 GiB free/, /archive/]],
    },
    {
      name: 'no room',
      findings: checkSpace({ ...space, freeBytes: 1000 }),
      expect: [['fail', /1000 B of/]],
    },
    {
      name: 'less room than is still to come',
      findings: checkSpace({ ...space, freeBytes: 5 * gib, needBytes: 6 * gib }),
      expect: [['fail', /6\.0 GiB still to come/]],
    },
    {
      name: 'vaults, and room beside what they leave free',
      findings: checkSpace({ ...space, freeBytes: 50 * gib, needBytes: gib, reserveBytes: gib / 8 }),
      expect: [
        ['ok', /50\.0 GiB of 100 GiB free, of which vaults leave 128 MiB free for compaction, 1\.0 GiB/],
      ],
    },
    {
      name: 'a vault that could store all if it left nothing free',
      findings: checkSpace({ ...space, freeBytes: 5 * gib, needBytes: 5 * gib - 1, reserveBytes: gib / 16 }),
      expect: [['fail', /vaults leave 64\.0 MiB free for compaction, and 5\.0 GiB still to come/]],
    },
    {
      name: 'less than the vaults leave free',
      findings: checkSpace({ ...space, freeBytes: gib / 10, reserveBytes: gib / 8 }),
      expect: [['fail', /102 MiB of 100 GiB free/, /nothing is stored in these vaults/]],
    },
    {
      name: 'no inodes',
      findings: checkSpace({ ...space, freeBytes: 50 * gib, freeFiles: 7 }),
      expect: [['fail', /7 more files/, /inodes/]],
    },
  ])
})

describe('ports and hosts', () => {
  const port = { key: 'listening_port', port: 4444, host: undefined }
  const local = { key: 'webui.listen', port: 80, host: '10.0.0.9' }
  cases([
    {
      name: 'a free port',
      findings: checkPort({ ...port, state: { type: 'free' } }),
      expect: [['ok', /free/]],
    },
    {
      name: 'our own',
      findings: checkPort({ ...port, state: { type: 'ours' } }),
      expect: [['ok', /daemon's/]],
    },
    {
      name: 'any',
      findings: checkPort({ ...port, state: { type: 'any' } }),
      expect: [['ok', /any free port/]],
    },
    {
      name: "somebody else's",
      findings: checkPort({ ...port, state: { type: 'taken', by: 'nginx (process 812)' } }),
      expect: [['fail', /port 4444 is in use by nginx \(process 812\)/, /another one for listening_port/]],
    },
    {
      name: 'one that is only for root',
      findings: checkPort({ ...local, state: { type: 'forbidden' } }),
      expect: [['fail', /only for root/, /1023 for webui\.listen/]],
    },
    {
      name: 'an address that is not here',
      findings: checkPort({ ...local, state: { type: 'no-address' } }),
      expect: [['fail', /10\.0\.0\.9 is no address/, /listen_host/]],
    },
    {
      name: 'a daemon that listens elsewhere',
      findings: checkPort({ ...port, state: { type: 'not-ours', by: undefined } }),
      expect: [['warn', /does not listen on port 4444/, /restart/]],
    },
    { name: 'no known hosts', findings: checkHosts([]), expect: [] },
    {
      name: 'known hosts, two of them out of reach',
      findings: checkHosts([
        { address: 'a:1', result: { type: 'connected', tookMs: 3 } },
        { address: 'b:1', result: { type: 'member' } },
        { address: 'c:1', result: { type: 'failed', code: 'ECONNREFUSED' } },
        { address: 'd:1', result: { type: 'failed', code: 'ENOTFOUND' } },
        { address: 'e:1', result: { type: 'failed', code: 'TIMEOUT' } },
      ]),
      expect: [
        ['ok', /2 of 5 known hosts/],
        ['warn', /c:1: nobody listens there/, /is its daemon running/],
        ['warn', /d:1: the name is not known/, /resolv/],
        ['warn', /e:1: no answer/, /firewall/],
      ],
    },
  ])
})

describe('the daemon', () => {
  const running = (report: StatusReport): Finding[] => checkDaemon({ state: 'running', report }, '0.1.0')
  const ahead = (clockAheadMs: number | null, name = 'nas') => member(name, { clockAheadMs })
  cases([
    { name: 'runs', findings: running(status(share())), expect: [['ok', /process 4121\), 1 folder/]] },
    {
      name: 'runs as another version',
      findings: running({ ...status(share()), version: '0.0.9' }),
      expect: [['warn', /0\.0\.9, and this is 0\.1\.0/, /restart/]],
    },
    {
      name: 'does not run',
      findings: checkDaemon({ state: 'stopped' }, '0.1.0'),
      expect: [['warn', /not running/, /shoal run/]],
    },
    {
      name: 'has the storage and does not answer',
      findings: checkDaemon({ state: 'silent', pid: '77', why: 'no answer' }, '0.1.0'),
      expect: [['fail', /process 77/, /kill 77/]],
    },
    {
      name: "is another user's",
      findings: checkDaemon({ state: 'forbidden' }, '0.1.0'),
      expect: [['warn', /another user/, /as that user/]],
    },
    { name: 'nothing wrong', findings: checkProblems(status(share())), expect: [['ok', /none/]] },
    {
      name: 'a share that is paused and halted, with problems, conflicts and drift',
      findings: checkProblems(
        status(
          share({
            state: 'halted',
            haltReason: 'the marker is missing',
            pausedSince: '2026-11-20T18:02:03.000Z',
            problems: [1, 2, 3, 4].map((at) => ({
              path: `p${at}`,
              code: 'EACCES',
              detail: 'denied',
              sinceMs: 0,
            })),
            conflicts: 2,
            drift: 1,
          }),
        ),
      ),
      expect: [
        ['warn', /paused since 2026/, /shoal resume/],
        ['fail', /halted: the marker is missing/, /shoal approve/],
        ['warn', /4 problems: p1: denied \(EACCES\);.*; and 1 more/, /shoal status/],
        ['warn', /2 conflict copies/, /shoal conflicts/],
        ['warn', /1 path changed by hand/, /shoal drift/],
      ],
    },
    {
      name: 'clocks that agree',
      findings: checkClocks(status(share({ members: [ahead(40), ahead(null, 'phone')] })), 600_000),
      expect: [['ok', /1 connected member, at most 40 ms apart/]],
    },
    {
      name: 'a member whose clock is off',
      findings: checkClocks(status(share({ members: [ahead(-3_600_000), ahead(0, 'phone')] })), 600_000),
      expect: [['warn', /nas's clock is 60 min behind/, /timedatectl/]],
    },
    {
      name: 'a clock of our own that is off',
      findings: checkClocks(status(share({ members: [ahead(9e6), ahead(9e6, 'phone')] })), 600_000),
      expect: [['fail', /differs from all 2 connected members'/, /this one/]],
    },
    {
      name: 'nobody is connected',
      findings: checkClocks(status(share({ members: [] })), 600_000),
      expect: [],
    },
  ])
})
