/**
 * Local service discovery (BEP 14): a small HTTP-like text by multicast, which says that we have these torrents and where we
 * listen. Everybody on the network can send one, so what is not well-formed is passed over without a word.
 */
/** The groups' addresses, and their port. */
export const LSD_GROUPS = { 4: '239.192.152.143', 6: 'ff15::efc0:988f' } as const
export const LSD_PORT = 6771

/** So that a packet is not cut into fragments on its way. */
const MAX_BYTES = 1400

export interface LocalAnnounce {
  readonly port: number
  /** 20 bytes each. */
  readonly infoHashes: readonly Uint8Array[]
  /** Tells our own packets, which come back to us. */
  readonly cookie: string | undefined
}

/** Torrents in one packet: more would not fit. */
export const MOST_HASHES_PER_PACKET = 20

const REQUEST_LINE = 'BT-SEARCH * HTTP/1.1'

/** @throws RangeError for more torrents than a packet takes */
export function encodeLocalAnnounce(family: 4 | 6, { port, infoHashes, cookie }: LocalAnnounce): Uint8Array {
  if (infoHashes.length > MOST_HASHES_PER_PACKET)
    throw new RangeError(`${infoHashes.length} torrents in a packet`)
  const group = family === 4 ? LSD_GROUPS[4] : `[${LSD_GROUPS[6]}]`
  const lines = [
    REQUEST_LINE,
    `Host: ${group}:${LSD_PORT}`,
    `Port: ${port}`,
    ...infoHashes.map((hash) => `Infohash: ${Buffer.from(hash).toString('hex')}`),
    ...(cookie === undefined ? [] : [`cookie: ${cookie}`]),
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n\r\n`, 'latin1')
}

/** Undefined for what is no announce, or names no torrent. */
export function decodeLocalAnnounce(packet: Uint8Array): LocalAnnounce | undefined {
  if (packet.length > MAX_BYTES) return undefined
  const [first = '', ...lines] = Buffer.from(packet).toString('latin1').split(/\r?\n/)
  if (!first.startsWith('BT-SEARCH * HTTP/1.')) return undefined
  const fields = lines.flatMap((line) => {
    const colon = line.indexOf(':')
    return colon < 0
      ? []
      : [{ name: line.slice(0, colon).trim().toLowerCase(), value: line.slice(colon + 1).trim() }]
  })
  const fieldOf = (wanted: string): string | undefined => fields.find(({ name }) => name === wanted)?.value
  const port = /^\d{1,5}$/.test(fieldOf('port') ?? '') ? Number(fieldOf('port')) : 0
  const infoHashes = fields
    .filter(({ name, value }) => name === 'infohash' && /^[0-9a-f]{40}$/i.test(value))
    .map(({ value }) => Buffer.from(value, 'hex'))
  if (port === 0 || port > 0xffff || infoHashes.length === 0) return undefined
  return { port, infoHashes, cookie: fieldOf('cookie') }
}
