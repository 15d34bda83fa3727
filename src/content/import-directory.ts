/**
 * Directories and symlinks into DAG nodes, from children that are made already. The importer library's own tree builder
 * is not used: it keeps the whole tree in memory and does not count subdirectories towards the HAMT threshold,
 * so its CIDs differ from kubo's for directories with thousands of them.
 */
import { encode, prepare } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { DirSharded } from 'ipfs-unixfs-importer/utils'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { DAG_PB, SHA2_256 } from '../core/cid.ts'
import { type Imported, type ImportSink, nodeStorage } from './import-file.ts'
import { HAMT_THRESHOLD, PROFILES, type Profile } from './profile.ts'
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
  const links = children.map(({ name, cid, tsize }) => ({ Name: name, Hash: cid, Tsize: tsize }))
  if (directorySize === 'links' && linkBytes(children) > HAMT_THRESHOLD)
    return importShards(children, profile, sink)
  const block = encode(prepare({ Data: new UnixFS({ type: 'directory' }).marshal(), Links: links }))
  if (directorySize === 'block' && block.length > HAMT_THRESHOLD) return importShards(children, profile, sink)
  return store(block, children, profile, sink)
}

export function importSymlink(target: string, profile: Profile, sink: ImportSink): Promise<Imported> {
  const unixfs = new UnixFS({ type: 'symlink', data: Buffer.from(target) })
  return store(encode(prepare({ Data: unixfs.marshal() })), [], profile, sink)
}

async function store(
  block: Uint8Array,
  children: readonly Imported[],
  profile: Profile,
  sink: ImportSink,
): Promise<Imported> {
  const cid = CID.create(PROFILES[profile].cidVersion, DAG_PB, Digest.create(SHA2_256, sha256(block)))
  await sink.putNode(cid, block)
  return { cid, tsize: children.reduce((sum, { tsize }) => sum + tsize, block.length) }
}

async function importShards(
  children: readonly NamedImport[],
  profile: Profile,
  sink: ImportSink,
): Promise<Imported> {
  const directory = new DirSharded(
    { root: true, dir: true, path: '', dirty: true, flat: false },
    { cidVersion: PROFILES[profile].cidVersion },
  )
  for (const { name, cid, tsize } of children) await directory.put(name, { cid, size: BigInt(tsize) })
  let root: Imported | undefined
  for await (const { cid, size } of directory.flush(nodeStorage(sink))) root = { cid, tsize: Number(size) }
  if (root === undefined) throw new RangeError('a directory without shards')
  return root
}

function linkBytes(children: readonly NamedImport[]): number {
  return children.reduce((sum, { name, cid }) => sum + Buffer.byteLength(name) + cid.bytes.length, 0)
}
