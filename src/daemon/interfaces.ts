/**
 * Asking for the machine's interfaces takes a descriptor, and libp2p asks in a timer, where an error ends the process. So
 * while there is none left the answer is the one before.
 */
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'

/** Changes `os.networkInterfaces` for the whole process. */
export function rememberInterfaces(log: (line: string) => void): void {
  const ask = os.networkInterfaces
  let known = ask()
  os.networkInterfaces = () => {
    try {
      known = ask()
    } catch (error) {
      log(`the machine does not tell its interfaces (${String(error)}): taken to be what they were`)
    }
    return known
  }
  syncBuiltinESMExports()
}
