/** A torrent as it is kept on the disk: a .torrent file of its info dictionary, byte for byte, and its piece layers. */
import { encodeBencode } from '../core/bencode.ts'

export function packMetainfo(infoBytes: Uint8Array, layers: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const byRoot = new Map([...layers].map(([root, layer]) => [Buffer.from(root, 'hex'), layer]))
  return Buffer.concat([
    Buffer.from('d4:info'),
    infoBytes,
    ...(byRoot.size === 0 ? [] : [Buffer.from('12:piece layers'), encodeBencode(byRoot)]),
    Buffer.from('e'),
  ])
}
