/**
 * Directories and symlinks into DAG nodes, from children that are made already. The importer library's own tree builder
 * is not used: it keeps the whole tree in memory and does not count subdirectories towards the HAMT threshold,
 * so its CIDs differ from kubo's for directories with thousands of them.
 */
import { encode, prepare } from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { DAG_PB, SHA2_256 } from '../core/cid.ts'
import type { Imported, ImportSink } from './import-file.ts'
import { importShards } from './import-shards.ts'
import { HAMT_THRESHOLD, PROFILES, type Profile } from './profile.ts'
import { encodeUnixfs } from './unixfs-data.ts'
import { sha256 } from './verify.ts'

export interface NamedImport extends Imported {
  readonly name: string
}

export async function importDirectory(
  children: readonly NamedImport[],
  profile: Profile,
  sink: ImportSink,
): Promise<Imported> {
  const { directorySize } = PROFILES[profile]
  const store = storing(profile, sink)
  // links alone above the threshold settle it for both measures, without making a block that is thrown away
  if (linkBytes(children) > HAMT_THRESHOLD) return importShards(children, store)
  const links = children.map(({ name, cid, tsize }) => ({ Name: name, Hash: cid, Tsize: tsize }))
  const block = encode(prepare({ Data: encodeUnixfs({ type: 'directory' }), Links: links }))
  if (directorySize === 'block' && block.length > HAMT_THRESHOLD) return importShards(children, store)
  return store(
    block,
    children.reduce((sum, { tsize }) => sum + tsize, 0),
  )
}

export function importSymlink(target: string, profile: Profile, sink: ImportSink): Promise<Imported> {
  const block = encode({ Data: encodeUnixfs({ type: 'symlink', data: Buffer.from(target) }), Links: [] })
  return storing(profile, sink)(block, 0)
}

function storing(
  profile: Profile,
  sink: ImportSink,
): (block: Uint8Array, below: number) => Promise<Imported> {
  return async (block, below) => {
    const cid = CID.create(PROFILES[profile].cidVersion, DAG_PB, Digest.create(SHA2_256, sha256(block)))
    await sink.putNode(cid, block)
    return { cid, tsize: block.length + below }
  }
}

function linkBytes(children: readonly NamedImport[]): number {
  return children.reduce((sum, { name, cid }) => sum + Buffer.byteLength(name) + cid.bytes.length, 0)
}
