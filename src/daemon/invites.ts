// The invites of a daemon's shares, in `invites.json` under its storage path.
import path from 'node:path'
import type { Config, ShareConfig } from '../config/config.js'
import { ShoalError } from '../core/error.js'
import type { Secret } from '../core/secret.js'
import { InviteHost, type InviteShare } from '../invite/host.js'
import type { Log } from '../ports/log.js'
import { readIfThere, writeDurably } from './durable-file.js'
import type { Identity } from './identity.js'

/** @throws ShoalError STORAGE_UNUSABLE if the file is there and cannot be read */
export function openInvites(
  config: Config<Secret>,
  shares: readonly ShareConfig<Secret>[],
  identity: Identity,
  log: Log,
): InviteHost {
  const file = path.join(config.storagePath, 'invites.json')
  return new InviteHost({
    device: identity.device.device,
    deviceName: config.deviceName,
    shares: shares.map(inviteShare),
    file: {
      path: file,
      read: () => readFile(file),
      write: (text) => writeDurably(file, text),
    },
    log,
    nowMs: Date.now,
  })
}

/** A share as there are invites for it. */
export function inviteShare({ secret, dir, searchLan, useDht }: ShareConfig<Secret>): InviteShare {
  return { secret, name: path.basename(dir), ways: { searchLan, useDht } }
}

function readFile(file: string): string | undefined {
  try {
    return readIfThere(file)
  } catch (cause) {
    throw new ShoalError('STORAGE_UNUSABLE', `cannot read ${file}: ${(cause as Error).message}`, { cause })
  }
}
