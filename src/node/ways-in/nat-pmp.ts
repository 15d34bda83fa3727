/** Messages of NAT-PMP (RFC 6886), by which a machine asks its router for a port of the router's public address. */

/** Where routers take them, by UDP. */
export const NAT_PMP_PORT = 5351

export type Transport = 'udp' | 'tcp'

/** Numbers of what can be asked; a reply has 128 more. */
const OPERATIONS = { address: 0, udp: 1, tcp: 2 } as const
type Operation = keyof typeof OPERATIONS

const IS_REPLY = 128
const ADDRESS_BYTES = 12
const MAPPING_BYTES = 16

const RESULTS = [
  'yes',
  'the router speaks another version',
  'the router has it switched off',
  'the router has no address itself',
  'the router has no port left',
  'the router does not know how',
] as const

export interface MappingRequest {
  readonly transport: Transport
  readonly internalPort: number
  /** Wished for; the router may give another. */
  readonly externalPort: number
  /** How long it is wanted, in s; 0 ends it. */
  readonly seconds: number
}

export type Reply =
  | { readonly to: 'address'; readonly host: string }
  | ({ readonly to: Transport } & Omit<MappingRequest, 'transport'>)
  | { readonly to: Operation; readonly refused: string }

export function addressRequest(): Buffer {
  return Buffer.from([0, OPERATIONS.address])
}

export function mappingRequest({ transport, internalPort, externalPort, seconds }: MappingRequest): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt8(OPERATIONS[transport], 1)
  bytes.writeUInt16BE(internalPort, 4)
  bytes.writeUInt16BE(externalPort, 6)
  bytes.writeUInt32BE(seconds, 8)
  return bytes
}

/** `undefined` for what is none. */
export function decodeReply(bytes: Buffer): Reply | undefined {
  if (bytes.length < 4 || bytes.readUInt8(0) !== 0) return undefined
  const operation = bytes.readUInt8(1) - IS_REPLY
  const to = (Object.keys(OPERATIONS) as Operation[]).find((name) => OPERATIONS[name] === operation)
  if (to === undefined) return undefined
  const result = bytes.readUInt16BE(2)
  if (result !== 0) return { to, refused: RESULTS[result] ?? `the router says ${result}` }
  if (to === 'address')
    return bytes.length < ADDRESS_BYTES ? undefined : { to, host: bytes.subarray(8, 12).join('.') }
  if (bytes.length < MAPPING_BYTES) return undefined
  return {
    to,
    internalPort: bytes.readUInt16BE(8),
    externalPort: bytes.readUInt16BE(10),
    seconds: bytes.readUInt32BE(12),
  }
}
