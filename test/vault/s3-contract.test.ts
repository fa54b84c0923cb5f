// The contract tests of every storage and of the vault, over a bucket of a real server on loopback.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before } from 'node:test'
import { silentLog } from '../../src/ports/log.js'
import { S3Storage } from '../../src/vault/s3/s3-storage.js'
import { awsBucket, type S3Server, startS3Server } from '../support/s3-server.js'
import { packStorageSuite, type StoragePlace } from './pack-storage.suite.js'
import { vaultSuite } from './vault.suite.js'

let server: S3Server
let places = 0

before(async () => {
  server = await startS3Server()
})
after(async () => server.end())

async function makePlace(): Promise<StoragePlace> {
  places += 1
  const prefix = `place-${places}`
  const spoolDir = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-contract-'))
  const open = (): Promise<S3Storage> =>
    S3Storage.open({ bucket: awsBucket(server, prefix), spoolDir, log: silentLog })
  return {
    open,
    openReadOnly: async () => {
      // What is not sent yet, the bucket alone does not show.
      const storage = await open()
      await storage.flush()
      await storage.close()
      return S3Storage.open({ bucket: awsBucket(server, prefix), spoolDir: undefined, log: silentLog })
    },
    remove: async () => fs.rmSync(spoolDir, { recursive: true, force: true }),
  }
}

packStorageSuite('a bucket', makePlace)
vaultSuite('in a bucket', makePlace)
