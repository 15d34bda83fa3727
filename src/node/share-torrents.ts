/**
 * Shares that BitTorrent clients may call: those of which a link or a torrent was made once, while they are complete, and
 * neither paused nor damaged. What a call needs is made ready when the first one comes. A download joins the torrent that
 * its link names.
 */
import type { Manifest } from '../content/manifest.ts'
import { DAG_PB, isTorrentRoot, printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import type { TorrentOrigin } from '../store/torrent-types.ts'
import type { MadeTorrent, ShareRow, Store } from '../store/types.ts'
import { FILE_FORM, standardWrapping } from '../store/wrapping.ts'
import type { Tiers } from '../torrent/announce-list.ts'
import { type InfoHashes, type TorrentInfo, type TorrentVersion, wireHashes } from '../torrent/info.ts'
import type { Layout } from '../torrent/layout.ts'
import { parseMagnet } from '../torrent/magnet.ts'
import { partialSpace } from '../torrent/partial-space.ts'
import { readMetainfoAside } from '../torrent/read-aside.ts'
import { readInfo } from '../torrent/read-info.ts'
import type { KnownTorrent, TorrentHandle, TorrentSource } from '../torrent/tcp/known-torrent.ts'
import { manifestSpace, type Wrapping } from '../torrent/tcp/piece-space.ts'
import type { WrittenInfo } from '../torrent/write-info.ts'
import { isServed, type Seeding } from './seeding.ts'
import { type TorrentShares, type TorrentWire, UNKNOWN_LEFT } from './torrent-wire.ts'
import type { Torrents } from './torrents.ts'

/** Torrents of shares that are ready though nobody is connected: each holds some 70 bytes a piece. */
const MOST_IDLE = 64

export interface ShareTorrentsContext {
  readonly store: Store
  readonly seeding: Seeding
  readonly wire: TorrentWire
  readonly torrents: Torrents
  readonly log: (line: string) => void
}

/** A torrent as those who call it are told of it. */
interface Described {
  readonly info: TorrentInfo
  readonly infoBytes: Uint8Array
  readonly layers: ReadonlyMap<string, Uint8Array>
}

interface Called {
  readonly root: RootKey
  /** Of a torrent that was made of the share; undefined for the one that it came from. */
  readonly version: TorrentVersion | undefined
  readonly hashes: InfoHashes
  readonly trackers: Tiers
  /** Trackers that the user named. */
  readonly named: readonly string[]
  readonly isPrivate: boolean
  /** Only some of its files are here. */
  readonly isPart: boolean
}

export class ShareTorrents implements TorrentShares {
  readonly #context: ShareTorrentsContext
  readonly #opening = new Map<string, Promise<TorrentHandle | undefined>>()
  /** Those opened here, the one called last at the end. */
  readonly #open = new Set<TorrentHandle>()
  /** What is shown of each to those who find peers. */
  readonly #shown = new Map<string, { readonly called: Called; readonly known: KnownTorrent }>()

  constructor(context: ShareTorrentsContext) {
    this.#context = context
  }

  // --- being called

  async called(hash: Uint8Array): Promise<TorrentHandle | undefined> {
    const found = this.#find(Buffer.from(hash).toString('hex'))
    if (found === undefined) return undefined
    const key = keyOf(found)
    const opening = this.#opening.get(key) ?? this.#openShare(found).finally(() => this.#opening.delete(key))
    this.#opening.set(key, opening)
    try {
      return await opening
    } catch (thrown) {
      this.#context.log(`bittorrent ${found.root}: ${ShareError.from(thrown).message}`)
      return undefined
    }
  }

  #find(hash: string): Called | undefined {
    for (const row of this.#context.store.shares())
      for (const called of namesOf(row))
        if (wireHashes(called.hashes).some((each) => Buffer.from(each).toString('hex') === hash))
          return called
    return undefined
  }

  async #openShare({ root, version, hashes }: Called): Promise<TorrentHandle | undefined> {
    const { store, seeding, wire } = this.#context
    const row = store.share(root)
    if (row === undefined || !(await seeding.serves(root))) return undefined
    const manifest = await store.manifest(root)
    const found = version === undefined ? await this.#origin(row) : await this.#made(row, version)
    // the digests may have been made anew meanwhile, or it was paused
    if (manifest === undefined || found === undefined || !isServed(store.share(root))) return undefined
    if (!same(found.info.hashes, hashes)) return undefined
    this.#makeRoom()
    const handle = wire.give({ root, hashes })
    const { info, infoBytes, layers } = found
    const whole = manifestSpace(info, manifest, wrappingIn(manifest))
    const space = version === undefined ? partialSpace(whole, info, filesOf(manifest)) : whole
    handle.open({ info, infoBytes, layers, space })
    this.#open.add(handle)
    return handle
  }

  async #made(row: ShareRow, version: TorrentVersion): Promise<Described> {
    const { info, written } = await this.#context.torrents.written(row, version)
    return { info, infoBytes: written.bytes, layers: layersOf(written) }
  }

  /** The torrent that it came from, as it was kept. */
  async #origin({ root }: ShareRow): Promise<Described | undefined> {
    const kept = await this.#context.store.metainfo(root)
    return kept && readMetainfoAside(kept)
  }

  /** Closes one that nobody is connected for. */
  #makeRoom(): void {
    for (const handle of this.#open) {
      if (this.#open.size < MOST_IDLE) return
      if (handle.closed) this.#open.delete(handle)
      else if (handle.idle) {
        handle.close()
        this.#open.delete(handle)
      }
    }
  }

  // --- being found

  /** A share changed: what is known of its torrents is shown, or is no more. */
  changed(root: RootKey): void {
    const { store, wire } = this.#context
    const row = store.share(root)
    const now = new Map(isServed(row) ? namesOf(row).map((called) => [shownAs(called), called]) : [])
    for (const [key, { called, known }] of [...this.#shown]) {
      if (called.root !== root || now.has(key)) continue
      this.#shown.delete(key)
      wire.closed(known)
    }
    for (const [key, called] of now) {
      // a download goes on as the torrent that it joined
      if (this.#shown.has(key) || wire.isWatched(wire.byHash(hashOf(called)))) continue
      const known = this.#known(called)
      this.#shown.set(key, { called, known })
      wire.opened(known, { trackers: called.trackers, named: called.named })
    }
  }

  #known(called: Called): KnownTorrent {
    const { root, hashes, isPart, isPrivate } = called
    const { store, wire } = this.#context
    const hash = hashOf(called)
    const open = (): TorrentHandle | undefined => wire.byHash(hash)
    return {
      root,
      hashes,
      info: () => ({ isPrivate }),
      progress: () => {
        const { uploaded = 0, downloaded = 0 } = store.share(root) ?? {}
        // trackers count those that miss nothing as seeds
        return { uploaded, downloaded, left: isPart ? UNKNOWN_LEFT : 0 }
      },
      wantsPeers: () => open()?.wantsPeers() ?? true,
      found: (endpoints, source) => {
        void (async () => (open() ?? (await this.called(hash)))?.found(endpoints, source))()
      },
    }
  }

  // --- downloading

  /**
   * Joins the torrent that a download's link names, as far as its peers are there; resolves when pieces can come from them.
   * @param manifest resolves when the DAG is known to its end
   * @throws ShareError BAD_CONTENT where the torrent is of other files than the DAG; the signal's reason
   */
  async join(root: RootKey, link: string, manifest: Promise<Manifest>, signal: AbortSignal): Promise<void> {
    const { v1, v2, peers, trackers } = parseMagnet(link)
    if (v1 === undefined && v2 === undefined) return
    const handle = this.#context.wire.add({
      root,
      hashes: { v1, v2 },
      peers,
      trackers: trackers.map((url) => [url]),
      named: this.#context.store.share(root)?.trackers ?? [],
    })
    signal.addEventListener('abort', () => handle.close())
    const infoBytes = await handle.metadata(signal)
    const info = readInfo(infoBytes)
    const whole = await manifest
    signal.throwIfAborted()
    const problem = difference(info, whole)
    if (problem !== undefined) {
      handle.close()
      throw new ShareError(
        'BAD_CONTENT',
        `the link's torrent is not of what its CID names: ${printable(problem)}`,
        'it is fetched by the CID alone; ask whoever made the link for another one',
      )
    }
    handle.open(sourceOf(info, { bytes: infoBytes, layers: undefined }, whole))
  }

  /** The share is here already: the peers that a link names beside it may want it. */
  async meet(root: RootKey, link: string): Promise<void> {
    const { v1, v2, peers } = parseMagnet(link)
    for (const hash of wireHashes({ v1, v2 })) {
      const handle = this.#context.wire.byHash(hash) ?? (await this.called(hash))
      if (handle?.root === root) this.#context.wire.meet(handle, peers)
    }
  }

  /**
   * The download is complete: whether what its link said by its info hashes is what came. Reads all of it once, where BitTorrent
   * is spoken; from then on the share may be called by them.
   * @throws ShareError VERIFICATION_FAILED where the link names other bytes
   */
  async check(row: ShareRow): Promise<void> {
    const { store, torrents, wire } = this.#context
    const { v1, v2 } = parseMagnet(row.magnet ?? '')
    const joined = wire.of(row.root).filter(({ isOpen }) => isOpen)
    if ((v1 === undefined && v2 === undefined) || (wire.port === undefined && joined.length === 0)) return
    for (const version of versionsOf({ v1, v2 })) {
      const { info, written } = await torrents.written(row, version)
      if (!names({ v1, v2 }, info.hashes)) continue
      // what could not be told while it came: the hashes of its trees
      const manifest = await store.manifest(row.root)
      if (manifest !== undefined) for (const handle of joined) handle.open(sourceOf(info, written, manifest))
      return
    }
    throw new ShareError(
      'VERIFICATION_FAILED',
      `the link's info hashes are not those of ${row.root}`,
      'what came is what the CID names; the link names another torrent beside it',
    )
  }
}

/** The versions in which a torrent with these hashes may have been made of a share. */
function versionsOf({ v1, v2 }: InfoHashes): TorrentVersion[] {
  if (v1 === undefined) return ['v2', 'hybrid']
  return v2 === undefined ? ['hybrid', 'v1'] : ['hybrid']
}

/** Whether a link's hashes, of which one may be missing, are those of a torrent. */
function names(link: InfoHashes, torrent: InfoHashes): boolean {
  const fits = (one: Uint8Array | undefined, other: Uint8Array | undefined): boolean =>
    one === undefined || sameOrNone(one, other)
  return fits(link.v1, torrent.v1) && fits(link.v2, torrent.v2)
}

/** Why a torrent cannot be of what a DAG holds; undefined where it can. */
function difference({ files }: TorrentInfo, { entries }: Manifest): string | undefined {
  const sizes = new Map(entries.flatMap((entry) => (entry.kind === 'file' ? [[entry.path, entry.size]] : [])))
  const listed = new Map(
    files.flatMap(({ path, size, symlink }) => (symlink === undefined ? [[path, size]] : [])),
  )
  for (const [path, size] of listed)
    if (sizes.get(path) !== size) return `${path} has ${size} bytes there, ${sizes.get(path) ?? 'none'} here`
  for (const [path] of sizes) if (!listed.has(path)) return `${path} is not in it`
  return undefined
}

/** @param written where the torrent was made here: its bytes, and the hashes of its trees by their files' roots */
function sourceOf(
  info: TorrentInfo,
  { bytes, layers }: Pick<WrittenInfo, 'bytes' | 'layers'>,
  manifest: Manifest,
): TorrentSource {
  const layout: Layout = info
  return {
    info,
    infoBytes: bytes,
    layers: layersOf({ layers }),
    space: manifestSpace(layout, manifest, wrappingIn(manifest)),
  }
}

function layersOf({ layers }: Pick<WrittenInfo, 'layers'>): ReadonlyMap<string, Uint8Array> {
  return new Map([...(layers ?? [])].map(([root, layer]) => [Buffer.from(root).toString('hex'), layer]))
}

/** How kubo wraps leaves of the older profile; where the sizes do not tell otherwise, it is tried. */
function wrappingIn({ pieces }: Manifest): (piece: number) => Wrapping | undefined {
  return (piece) => {
    if (pieces.codec(piece) !== DAG_PB) return undefined
    const wrapping = standardWrapping(FILE_FORM, pieces.size(piece))
    const size = wrapping.prefix.length + pieces.size(piece) + wrapping.suffix.length
    return size === pieces.blockSize(piece) ? wrapping : undefined
  }
}

function filesOf({ entries }: Manifest): Set<string> {
  return new Set(entries.flatMap(({ kind, path }) => (kind === 'file' ? [path] : [])))
}

/** All by which a share may be called. */
function namesOf({ root, torrents, torrent, magnet, trackers: named }: ShareRow): Called[] {
  const inLink = magnet === undefined ? [] : parseMagnet(magnet).trackers.map((url) => [url])
  const names = torrents.map((made): Called => {
    return {
      root,
      version: made.version,
      hashes: hashesIn(made),
      trackers: inLink,
      named,
      isPrivate: false,
      isPart: false,
    }
  })
  if (torrent === undefined || isTorrentRoot(root)) return names
  const hashes = hashesIn(torrent)
  // what was made of it may be the very torrent that it came from
  if (names.some((made) => same(made.hashes, hashes))) return names
  const { trackers, isPrivate } = torrent
  const isPart = torrent.only.length > 0
  return [...names, { root, version: undefined, hashes, trackers, named, isPrivate, isPart }]
}

function hashesIn({ v1, v2 }: Pick<MadeTorrent, 'v1' | 'v2'> | TorrentOrigin): InfoHashes {
  return {
    v1: v1 === undefined ? undefined : Buffer.from(v1, 'hex'),
    v2: v2 === undefined ? undefined : Buffer.from(v2, 'hex'),
  }
}

/** The 20 bytes that name it first. */
function hashOf({ hashes }: Called): Uint8Array {
  return wireHashes(hashes)[0] ?? new Uint8Array(0)
}

/** Who finds its peers is told anew where its trackers change. */
function shownAs(called: Called): string {
  return `${keyOf(called)} ${JSON.stringify([called.trackers, called.named])}`
}

function keyOf({ root, version, hashes }: Called): string {
  return `${root} ${version ?? 'origin'} ${Buffer.from(hashes.v1 ?? hashes.v2 ?? '').toString('hex')}`
}

function same(one: InfoHashes, other: InfoHashes): boolean {
  return sameOrNone(one.v1, other.v1) && sameOrNone(one.v2, other.v2)
}

function sameOrNone(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one === undefined || other === undefined ? one === other : Buffer.compare(one, other) === 0
}
