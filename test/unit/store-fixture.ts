/** Small shares made by hand for the store's tests: files cut into raw leaves, the DAG over them, the manifest. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { encode, prepare } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { type Entry, type Inline, type Manifest, PieceTable } from '../../src/content/manifest.ts'
import { sha256 } from '../../src/content/verify.ts'
import { DAG_PB, RAW, rootKeyOf, SHA2_256 } from '../../src/core/cid.ts'
import type { RootKey } from '../../src/core/types.ts'
import { openStore } from '../../src/store/store.ts'
import type { Download, InlinePlace, Store } from '../../src/store/types.ts'

/** Bytes a leaf. */
export const CHUNK = 1000

export interface MadeShare {
  readonly root: CID
  readonly key: RootKey
  readonly manifest: Manifest
  readonly files: ReadonlyMap<string, Uint8Array>
  /** The whole block of each piece. */
  readonly blocks: readonly Uint8Array[]
  /** DAG nodes, the root's included. */
  readonly nodes: readonly { readonly cid: CID; readonly block: Uint8Array }[]
  readonly inlines: readonly Inline[]
}

/** How leaves are made: raw, or dag-pb with UnixFS of this type, as `unixfs-v0-2015` does. */
export type Leaves = 'raw' | 'file-wrapped' | 'raw-wrapped'

interface Link {
  readonly cid: CID
  readonly size: number
}

class Maker {
  readonly entries: Entry[] = []
  readonly pieces = new PieceTable()
  readonly blocks: Uint8Array[] = []
  readonly nodes: { cid: CID; block: Uint8Array }[] = []
  readonly inlines: Inline[] = []
  readonly #known = new Map<string, number>()
  readonly #leaves: Leaves

  constructor(leaves: Leaves) {
    this.#leaves = leaves
  }

  file(path: string, content: Uint8Array): CID {
    const entry = this.entries.push({ kind: 'directory', path }) - 1
    const cid = this.#content(entry, content)
    this.entries[entry] = { kind: 'file', path, cid, size: content.length }
    return cid
  }

  node(block: Uint8Array): CID {
    const cid = cidOf(DAG_PB, block)
    this.nodes.push({ cid, block })
    return cid
  }

  #content(entry: number, content: Uint8Array): CID {
    const small = content.length <= CHUNK
    if (small && this.#leaves !== 'raw') return this.#inline(entry, content)
    if (small) return content.length === 0 ? cidOf(RAW, content) : this.#leaf(entry, 0, content).cid
    const links: Link[] = []
    for (let at = 0; at < content.length; at += CHUNK) {
      links.push(this.#leaf(entry, at, content.slice(at, at + CHUNK)))
    }
    const unixfs = new UnixFS({ type: 'file', blockSizes: links.map((link) => BigInt(link.size)) })
    const Links = links.map((link) => ({ Name: '', Hash: link.cid, Tsize: link.size }))
    return this.node(encode(prepare({ Data: unixfs.marshal(), Links })))
  }

  #inline(entry: number, data: Uint8Array): CID {
    const cid = this.node(wrapped('file-wrapped', data))
    if (data.length > 0) this.inlines.push({ cid, place: { entry, offset: 0 }, data })
    return cid
  }

  #leaf(entry: number, offset: number, payload: Uint8Array): Link {
    const codec = this.#leaves === 'raw' ? RAW : DAG_PB
    const block = codec === RAW ? payload : wrapped(this.#leaves, payload)
    const cid = cidOf(codec, block)
    const known = this.#known.get(cid.toString())
    const place = { entry, offset }
    if (known === undefined) {
      const digest = cid.multihash.digest
      const piece = { digest, codec, size: payload.length, blockSize: block.length, place }
      this.#known.set(cid.toString(), this.pieces.push(piece))
      this.blocks.push(block)
    } else {
      this.pieces.addPlace(known, place)
    }
    return { cid, size: payload.length }
  }
}

/** A directory tree; names may hold `/`. Files come in the order given. */
export function makeTree(files: Readonly<Record<string, Uint8Array>>, leaves: Leaves = 'raw'): MadeShare {
  const maker = new Maker(leaves)
  maker.entries.push({ kind: 'directory', path: '' })
  const directories = new Set(Object.keys(files).map((path) => dirname(path)))
  for (const path of directories) if (path !== '.') maker.entries.push({ kind: 'directory', path })
  const Links = Object.entries(files).map(([path, content]) => ({
    Name: path.replaceAll('/', '|'),
    Hash: maker.file(path, content),
    Tsize: content.length,
  }))
  const root = maker.node(encode(prepare({ Data: new UnixFS({ type: 'directory' }).marshal(), Links })))
  return made(maker, root, files)
}

/** Files of one leaf each, in two directories. */
export function manyFiles(count: number): Record<string, Uint8Array> {
  const name = (at: number): string => `${at % 2 === 0 ? 'even' : 'odd'}/${at}`
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [name(at), bytes(700, at)]))
}

export function makeFile(content: Uint8Array, leaves: Leaves = 'raw'): MadeShare {
  const maker = new Maker(leaves)
  return made(maker, maker.file('', content), { '': content })
}

function made(maker: Maker, root: CID, files: Readonly<Record<string, Uint8Array>>): MadeShare {
  const { entries, pieces, blocks, nodes, inlines } = maker
  const size = Object.values(files).reduce((sum, content) => sum + content.length, 0)
  const manifest: Manifest = { root, entries, pieces, size }
  return {
    root,
    key: rootKeyOf(root),
    manifest,
    files: new Map(Object.entries(files)),
    blocks,
    nodes,
    inlines,
  }
}

function wrapped(leaves: Leaves, payload: Uint8Array): Uint8Array {
  const type = leaves === 'raw-wrapped' ? 'raw' : 'file'
  return encode(prepare({ Data: new UnixFS({ type, data: payload }).marshal(), Links: [] }))
}

export function cidOf(codec: number, block: Uint8Array): CID {
  return CID.createV1(codec, Digest.create(SHA2_256, Uint8Array.from(sha256(block))))
}

/** Bytes that depend on the seed alone, no two chunks alike. */
export function bytes(length: number, seed: number): Uint8Array {
  let state = seed * 2654435761 + 1
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  })
}

/** A directory that goes away with the test. */
export async function tempDir(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'share-store-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

/** A store that is closed with the test. */
export async function tempStore(t: TestContext, home: string): Promise<Store> {
  const store = await openStore(home)
  t.after(() => store.close().catch(() => undefined))
  return store
}

export async function writeFiles(share: MadeShare, path: string): Promise<void> {
  for (const [name, content] of share.files) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), content)
  }
}

export async function putNodes(store: Store, share: MadeShare): Promise<void> {
  for (const { cid, block } of share.nodes) await store.putBlock(cid, block)
}

/** Adds a share in place, its files included. */
export async function addInPlace(store: Store, share: MadeShare, path: string): Promise<void> {
  await writeFiles(share, path)
  await putNodes(store, share)
  const inlines = share.inlines.map(
    ({ cid, place, data }): InlinePlace => ({ cid, ...place, size: data.length }),
  )
  await store.addShare({
    manifest: share.manifest,
    inlines,
    name: 'made',
    path,
    copied: false,
    added: undefined,
  })
}

/** Opens a download and goes as far as a finished walk. */
export async function startDownload(store: Store, share: MadeShare, path: string): Promise<Download> {
  const download = await store.openDownload({ root: share.root, name: 'made', path, peers: [] })
  await download.begin(share.manifest)
  await putNodes(store, share)
  for (const inline of share.inlines) await download.writeInline(inline)
  await download.extend()
  await download.sealed()
  return download
}

export async function writePieces(
  download: Download,
  share: MadeShare,
  from = 0,
  to = share.blocks.length,
): Promise<void> {
  for (const [piece, block] of share.blocks.entries()) {
    if (piece >= from && piece < to) await download.writePiece(piece, block)
  }
}
