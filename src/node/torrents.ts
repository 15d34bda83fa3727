/**
 * Shares as BitTorrent sees them: links with info hashes, and .torrent files. The digests are made when they are first
 * needed, in one pass over the bytes, and kept; a pass that is interrupted goes on where it was.
 */
import { readFile } from '../content/file.ts'
import type { Manifest } from '../content/manifest.ts'
import { printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import type { DigestKind, ShareRow, Store } from '../store/types.ts'
import { decodeDigests, encodeDigests } from '../torrent/digest-row.ts'
import { digestPieces } from '../torrent/digesting.ts'
import { type InfoHashes, SHA1_BYTES, type TorrentInfo, type TorrentVersion } from '../torrent/info.ts'
import type { Layout, Placed } from '../torrent/layout.ts'
import { formatMagnet } from '../torrent/magnet.ts'
import { writeMetainfo } from '../torrent/metainfo.ts'
import { readInfo } from '../torrent/read-info.ts'
import { shareLayout } from '../torrent/share-torrent.ts'
import { type PieceDigests, type WrittenInfo, writeInfo } from '../torrent/write-info.ts'
import type * as Api from './types.ts'

/** What a share is, for these purposes. */
interface Whole {
  readonly row: ShareRow
  readonly manifest: Manifest
}

interface Hashing {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Api.HashProgress) => void
}

export class Torrents {
  readonly #store: Store
  readonly #trackers: readonly string[]
  readonly #onMade: (root: RootKey) => void
  readonly #stopping = new AbortController()
  /** The pass of each root that runs or waits last: two never read the same bytes at once. */
  readonly #passes = new Map<RootKey, Promise<unknown>>()

  /**
   * @param trackers of every share's torrents
   * @param onMade a share got info hashes that it had not
   */
  constructor(store: Store, trackers: readonly string[], onMade: (root: RootKey) => void) {
    this.#store = store
    this.#trackers = trackers
    this.#onMade = onMade
  }

  /** Ends passes under way; what they have is kept. Resolves when they have ended. */
  async stop(): Promise<void> {
    this.#stopping.abort(new ShareError('INTERRUPTED', 'the node stops', 'run the same command again'))
    await Promise.allSettled(this.#passes.values())
  }

  /**
   * A link with everything that names the share. Where it cannot have info hashes, it is the CID's alone, and the notice
   * says why.
   * @param addresses where this node is found, by libp2p and by BitTorrent
   */
  async link(
    row: ShareRow,
    addresses: { readonly multiaddrs: readonly string[]; readonly peers: readonly string[] },
    options: Api.LinkOptions,
  ): Promise<string> {
    const { torrent = true, onProgress, trackers: _, ...hashing } = options
    const { multiaddrs, peers } = addresses
    const names = {
      content: row.root,
      multiaddrs,
      ...(row.name !== row.root && { name: row.name }),
    }
    if (!torrent) return formatMagnet(names)
    try {
      const { hashes } = (
        await this.written(row, 'hybrid', { ...hashing, ...(onProgress && { onProgress }) })
      ).info
      const trackers = this.#trackersOf(row)
      return formatMagnet({ ...names, v1: hashes.v1, v2: hashes.v2, peers, trackers })
    } catch (thrown) {
      if (!(thrown instanceof ShareError) || !WITHOUT_HASHES.has(thrown.code)) throw thrown
      onProgress?.({ done: 0, total: row.size, notice: thrown.toJSON() })
      return formatMagnet(names)
    }
  }

  /** @throws ShareError CONFLICT while it is not complete, UNSUPPORTED, VERIFICATION_FAILED, INTERRUPTED */
  async torrent(row: ShareRow, { version = 'hybrid', ...hashing }: Api.TorrentOptions): Promise<Api.Torrent> {
    const { info, written } = await this.written(row, version, hashing)
    return {
      cid: row.root,
      name: info.name,
      version,
      pieceLength: info.pieceLength,
      pieces: info.pieces,
      infoHashes: hexOf(info.hashes),
      // each stands in for the one before
      bytes: writeMetainfo(written, { trackers: this.#trackersOf(row).map((url) => [url]) }),
    }
  }

  /** The user's own for this share, then those for all. */
  #trackersOf({ trackers }: ShareRow): string[] {
    return [...new Set([...trackers, ...this.#trackers])]
  }

  /**
   * The torrent of a share, from the digests that are kept, or by reading all of it. From then on it may be called by it.
   * @throws ShareError as `torrent` does
   */
  async written(
    row: ShareRow,
    version: TorrentVersion,
    hashing: Hashing = {},
  ): Promise<{ written: WrittenInfo; info: TorrentInfo }> {
    const whole = await this.#whole(row)
    const layout = shareLayout(whole.manifest, version)
    const digests = await this.#digests(whole, layout, version, hashing)
    const written = writeInfo({ name: row.name, version, layout, digests })
    // as every client will: what we would refuse we do not hand out
    const info = readInfo(written.bytes)
    await this.#remember(row.root, info)
    return { written, info }
  }

  async #remember(root: RootKey, { version, hashes }: TorrentInfo): Promise<void> {
    const { torrents = [] } = this.#store.share(root) ?? {}
    const made = { version, ...hexOf(hashes) }
    if (torrents.some((known) => known.v1 === made.v1 && known.v2 === made.v2)) return
    await this.#store.update(root, {
      torrents: [...torrents.filter((each) => each.version !== version), made],
    })
    this.#onMade(root)
  }

  async #whole(row: ShareRow): Promise<Whole> {
    const manifest = row.phase === 'complete' ? await this.#store.manifest(row.root) : undefined
    if (manifest !== undefined) return { row, manifest }
    throw new ShareError(
      'CONFLICT',
      `${printable(row.name)} is not complete yet, so nobody knows its info hashes`,
      'wait until the download is done, then run the same command again',
    )
  }

  /** From what is kept; what is missing is hashed. */
  async #digests(
    whole: Whole,
    layout: Layout,
    version: TorrentVersion,
    hashing: Hashing,
  ): Promise<PieceDigests> {
    const { root } = whole.row
    // without pads, as in a single file, both are the same
    const packed = version === 'v1' && shareLayout(whole.manifest, 'hybrid').length !== layout.length
    const kind = packed ? 'torrent-v1' : 'torrent'
    const earlier = this.#passes.get(root)
    const pass = (async () => {
      await earlier?.catch(() => {})
      const known = decodeDigests(await this.#store.digests(root, kind), layout, kind === 'torrent')
      return this.#pass(whole, layout, kind, known, hashing)
    })()
    this.#passes.set(root, pass)
    try {
      return await pass
    } finally {
      if (this.#passes.get(root) === pass) this.#passes.delete(root)
    }
  }

  async #pass(
    { row, manifest }: Whole,
    layout: Layout,
    kind: DigestKind,
    known: PieceDigests,
    { signal, onProgress }: Hashing,
  ): Promise<PieceDigests> {
    const stop = this.#stopping.signal
    const either = signal === undefined ? stop : AbortSignal.any([signal, stop])
    either.throwIfAborted()
    if (isWhole(known, layout)) return known
    const files = new Map(manifest.entries.map((entry) => [entry.path, entry]))
    return digestPieces({
      layout,
      trees: kind === 'torrent',
      known,
      read: ({ path }: Placed, offset: number) => {
        const entry = files.get(path)
        if (entry?.kind !== 'file') throw new RangeError(`no file at ${path}`)
        return readFile(entry.cid, {
          getBlock: (cid) => this.#block(row, cid),
          range: { first: offset },
          readAhead: READ_AHEAD,
          signal: either,
        })
      },
      signal: either,
      onProgress: (pieces) =>
        onProgress?.({ done: Math.round((row.size * pieces) / layout.pieces), total: row.size }),
      keep: (digests) => this.#store.keepDigests(row.root, kind, encodeDigests(layout, digests)),
    })
  }

  async #block(row: ShareRow, cid: Manifest['root']): Promise<Uint8Array> {
    const block = await this.#store.getBlock(cid)
    if (block !== undefined) return block
    throw new ShareError(
      'VERIFICATION_FAILED',
      `${printable(row.name)} is not what it was when it was added`,
      `\`share verify ${row.root}\` says which file changed`,
    )
  }
}

/** Leaves read while others are hashed. */
const READ_AHEAD = 4

/** Why a link goes without info hashes, rather than not at all. */
const WITHOUT_HASHES: ReadonlySet<string> = new Set(['CONFLICT', 'UNSUPPORTED', 'VERIFICATION_FAILED'])

function isWhole({ sha1s }: PieceDigests, { pieces }: Layout): boolean {
  return sha1s.length === pieces * SHA1_BYTES
}

function hexOf({ v1, v2 }: InfoHashes): { v1?: string; v2?: string } {
  return { ...(v1 && { v1: hex(v1) }), ...(v2 && { v2: hex(v2) }) }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
