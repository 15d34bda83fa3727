/**
 * Who may ask: programs on this machine, and browsers on behalf of their user. A page of another site may lead its
 * reader here by a link, but may not look for content in his name, nor load it into itself; and a foreign name that
 * was made to stand for this machine (DNS rebinding) gets nothing.
 */
import type { IncomingHttpHeaders } from 'node:http'

const HTTP_PORT = 80

export class Guard {
  readonly #hosts: ReadonlySet<string>

  /** @param url where the gateway listens */
  constructor({ hostname, port }: URL) {
    const names = [hostname, 'localhost', '127.0.0.1', '[::1]']
    this.#hosts = new Set(
      names.flatMap((name) => (port === '' ? [name, `${name}:${HTTP_PORT}`] : [`${name}:${port}`])),
    )
  }

  /** Why a request is refused, or undefined. */
  refusal(headers: IncomingHttpHeaders): string | undefined {
    const { host = '', origin, referer } = headers
    if (!this.#hosts.has(host.toLowerCase())) return 'this gateway answers only under its own address'
    if (origin !== undefined && !this.#isOurs(origin)) return 'other sites may not ask this gateway'
    if (isForeign(headers) && !this.#isOurs(referer))
      return 'other sites may link to this gateway, not load from it'
    return undefined
  }

  #isOurs(address: string | undefined): boolean {
    const url = address === undefined ? null : URL.parse(address)
    // URL leaves the port out where it is the scheme's own
    return url !== null && url.protocol === 'http:' && this.#hosts.has(url.host)
  }
}

/** Asked by a page of another origin, and not to go here. Programs and old browsers do not say. */
function isForeign(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  if (site !== 'cross-site' && site !== 'same-site') return false
  return headers['sec-fetch-mode'] !== 'navigate' || headers['sec-fetch-dest'] !== 'document'
}
