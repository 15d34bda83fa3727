/** URLs that strangers give us to ask: of which kind, and whether at all. */

/** Longer ones are nobody's. */
const MOST_LENGTH = 2048

const TRACKER_PROTOCOLS = ['http:', 'https:', 'udp:']
const WEB_PROTOCOLS = ['http:', 'https:']

export function isTrackerUrl(text: string): boolean {
  const url = parsed(text)
  // a UDP tracker has no default port
  return (
    url !== undefined &&
    TRACKER_PROTOCOLS.includes(url.protocol) &&
    (url.protocol !== 'udp:' || url.port !== '')
  )
}

export function isWebUrl(text: string): boolean {
  return WEB_PROTOCOLS.includes(parsed(text)?.protocol ?? '')
}

/** Undefined for what is no URL with a host, or one that carries a name and password. */
function parsed(text: string): URL | undefined {
  const url = text.length <= MOST_LENGTH ? URL.parse(text) : null
  if (url === null || url.hostname === '' || url.username !== '' || url.password !== '') return undefined
  return url
}
