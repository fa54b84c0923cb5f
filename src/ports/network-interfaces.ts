// What os.networkInterfaces() answers. It needs a descriptor, and throws where the process has none left: then the last
// answer holds, which is a few seconds old, instead of ending the daemon out of a timer.
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'

export type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>

let last: Interfaces = {}

/** `ask` is for tests. */
export function interfacesNow(ask: () => Interfaces = networkInterfaces): Interfaces {
  try {
    last = ask()
  } catch {
    // EMFILE, ENFILE, ENOMEM; it has no other way to fail. Who works with files says so.
  }
  return last
}
