/** The Accept header, as far as it names formats that a gateway has. Source: RFC 9110, section 12.5.1. */

const KINDS: ReadonlyMap<string, string> = new Map([
  ['application/vnd.ipld.raw', 'raw'],
  ['application/vnd.ipld.car', 'car'],
  ['application/x-tar', 'tar'],
  // formats of other gateways: asked for by name, they are refused by name
  ['application/vnd.ipld.dag-json', 'dag-json'],
  ['application/vnd.ipld.dag-cbor', 'dag-cbor'],
  ['application/vnd.ipfs.ipns-record', 'ipns-record'],
])

export interface Accepted {
  readonly kind: string
  /** Of the media type, by name: a CAR's version, order and duplicates. */
  readonly params: ReadonlyMap<string, string>
}

/** The format that is wanted most; undefined where none is named. */
export function accepted(header: string): Accepted | undefined {
  let best: (Accepted & { quality: number }) | undefined
  for (const part of header.split(',')) {
    const [type = '', ...rest] = part.split(';').map((text) => text.trim().toLowerCase())
    const kind = KINDS.get(type)
    const params = new Map(rest.map((text) => pair(text)))
    const quality = Number(params.get('q') ?? 1)
    if (kind === undefined || !(quality > 0) || quality <= (best?.quality ?? 0)) continue
    best = { kind, params, quality }
  }
  return best
}

function pair(text: string): [string, string] {
  const [name = '', value = ''] = text.split('=', 2)
  return [name.trim(), value.trim().replace(/^"(.*)"$/, '$1')]
}
