/** Why a node could not listen, for a person: libp2p says it in one long text, for all addresses together. */
import { ShareError } from '../core/errors.ts'

const TO_CHANGE = 'share config set listen /ip4/0.0.0.0/tcp/PORT'

/** Errors that are not about listening pass through ShareError.from. */
export function listenError(thrown: unknown): ShareError {
  const text = thrown instanceof Error ? thrown.message : ''
  const [, code, address] = /\b(EADDRINUSE|EADDRNOTAVAIL|EACCES)\b:.*? ([0-9a-f.:]+)$/m.exec(text) ?? []
  const where = address ? ` on ${address}` : ''
  switch (code) {
    case 'EADDRINUSE': {
      const hint = `stop the other program, or choose another port: ${TO_CHANGE}`
      return new ShareError('CONFLICT', `cannot listen${where}: the port is in use`, hint, { cause: thrown })
    }
    case 'EADDRNOTAVAIL': {
      const hint = `use an address of this machine, or all of them: ${TO_CHANGE}`
      return new ShareError('BAD_CONFIG', `cannot listen${where}: not an address of this machine`, hint, {
        cause: thrown,
      })
    }
    case 'EACCES': {
      const hint = `choose a port above 1023: ${TO_CHANGE}`
      return new ShareError('BAD_CONFIG', `not allowed to listen${where}`, hint, { cause: thrown })
    }
    default:
      return ShareError.from(thrown, 'start the network')
  }
}
