/**
 * Who may ask where everybody can: whoever has a page's address, from that page or from a program. The host must be
 * an IP address or a name that was set, for any other name may have been made to stand for this machine to let a
 * stranger's page read it (DNS rebinding); and no page of another origin may ask.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'

export class PageGuard {
  readonly #names: ReadonlySet<string>

  /** @param names that stand for this machine, beside IP addresses */
  constructor(names: readonly string[]) {
    this.#names = new Set(['localhost', ...names.map((name) => name.toLowerCase())])
  }

  /** Why a request is refused, or undefined. */
  refusal(headers: IncomingHttpHeaders): string | undefined {
    const { host = '', origin } = headers
    const url = URL.parse(`http://${host}`)
    if (url === null || !this.#isOurs(url.hostname)) return 'this page answers only under its own address'
    // a scheme may be changed by a proxy that encrypts, the host stays
    if (origin !== undefined && URL.parse(origin)?.host !== url.host) return 'other sites may not ask here'
    return isForeign(headers) ? 'other sites may link here, not load from here' : undefined
  }

  #isOurs(name: string): boolean {
    return isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0 || this.#names.has(name)
  }
}

/** Asked by a page of another origin, and not to go here. Said only where the connection is encrypted, or local. */
function isForeign(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  if (site !== 'cross-site' && site !== 'same-site') return false
  return headers['sec-fetch-mode'] !== 'navigate' || headers['sec-fetch-dest'] !== 'document'
}
