/** The public shapes of a node: what the API returns, the daemon sends as JSON and the CLI prints. */
import type { CID } from 'multiformats/cid'
import type { ErrorJson } from '../core/errors.ts'

/** Where a root is in its life on this node. `checking`: what lies on the disk is read, for what is there, or for the CID. */
export type ShareState =
  | 'resolving'
  | 'checking'
  | 'downloading'
  | 'seeding'
  | 'paused'
  | 'damaged'
  | 'failed'

/** Bytes a second, over the last few seconds. */
export interface Rates {
  readonly up: number
  readonly down: number
}

/** A peer that takes part in the swarm of a share, or an HTTP gateway that it is fetched from, whose id is its URL. */
export interface PeerInfo {
  readonly id: string
  /** The protocol by which pieces move between us. */
  readonly wire: 'share' | 'bitswap' | 'bittorrent' | 'http'
  readonly address: string | undefined
  /** Whether what it sends comes directly or through a relay; undefined where it is not connected, or a gateway. */
  readonly via: 'direct' | 'relayed' | undefined
  /** Why it is not asked for now, or not for everything. */
  readonly problem: string | undefined
  /** How many pieces it says that it has. */
  readonly pieces: number
  /** It serves us only what it offers itself. */
  readonly choked: boolean
  /** We want something that it has. */
  readonly interested: boolean
  /** We serve it only what we offer ourselves. */
  readonly choking: boolean
  /** It wants something that we have. */
  readonly wanted: boolean
  /** It has not sent for long what it was asked for. */
  readonly snubbed: boolean
  /** File bytes sent to it and received from it since this node started. */
  readonly uploaded: number
  readonly downloaded: number
  readonly rates: Rates
}

/** How it stands with one way of finding a share's BitTorrent peers. */
export interface DiscoveryInfo {
  readonly kind: 'tracker' | 'dht' | 'lsd'
  /** Of a tracker. */
  readonly url: string | undefined
  /** What it told the last time. */
  readonly peers: number | undefined
  readonly seeders: number | undefined
  readonly leechers: number | undefined
  /** Why it told nothing, or what the tracker warns of. */
  readonly error: string | undefined
  /** When that was, and when it is asked again; ISO 8601. */
  readonly last: string | undefined
  readonly next: string | undefined
}

export interface BannedPeer {
  readonly id: string
  readonly reason: string
}

export interface DamagedFile {
  readonly file: string
  readonly reason: string
}

/** How far the search for peers has come. */
export interface SearchInfo {
  /** `unannounced`: nobody is said to have it; `not dialable`: those who are cannot be; `lacks it`: they do not. */
  readonly step: 'unannounced' | 'not dialable' | 'lacks it' | 'has it'
  /** Peers that are said to have it, those of them that were reached, and peers that have it. */
  readonly said: number
  readonly reached: number
  readonly found: number
  /** Why the last dial failed. */
  readonly problem?: string
}

export interface ShareInfo {
  readonly cid: string
  readonly name: string
  /** The file or directory that holds the bytes; while downloading, the one that will. */
  readonly path: string
  readonly state: ShareState
  /** Bytes of content; 0 while the root is still being resolved. */
  readonly size: number
  /** Bytes of content that are verified and stored. */
  readonly have: number
  readonly pieces: { readonly total: number; readonly have: number }
  /** File bytes sent to peers and received from them over this share's life. */
  readonly uploaded: number
  readonly downloaded: number
  readonly rates: Rates
  readonly peers: readonly PeerInfo[]
  readonly banned: readonly BannedPeer[]
  readonly damaged: readonly DamagedFile[]
  /** Limits of this share alone; 0 is unlimited. */
  readonly limits: Rates
  /** Why the state is `failed`. */
  readonly error: ErrorJson | undefined
  readonly announced: boolean
  /** While it is downloaded. */
  readonly search?: SearchInfo
  /** Trackers, DHT and local discovery of BitTorrent, as far as they are used for it. */
  readonly discovery: readonly DiscoveryInfo[]
  /** In hex: of the torrent that it is fetched as, or came from. */
  readonly infoHashes: { readonly v1?: string; readonly v2?: string }
  /** Patterns of the files that were chosen of that torrent; all where there are none. */
  readonly only: readonly string[]
  /** The link named a CID and a torrent, and they are not the same content. */
  readonly mismatch: string | undefined
}

export interface NodeIdentity {
  readonly peerId: string
  /** Multiaddrs with the peer id, as others dial them. */
  readonly addresses: readonly string[]
  readonly reachable: Reachable
  /** How that is known, as the end of a sentence. */
  readonly reachableBy: string
  /** The TCP port for BitTorrent clients, where there is one. */
  readonly torrentPort?: number
  /** The node of BitTorrent's DHT, where there is one: its UDP port, and how many nodes it knows. */
  readonly torrentDht?: { readonly port: number; readonly nodes: number }
}

/** Whether others reach this node: from everywhere, through a relay, from the networks around it, or not at all. */
export type Reachable = 'direct' | 'relayed' | 'local only' | 'no'

/** Of a check of `share doctor`; `note`: worth knowing, and nothing is broken. */
export type Verdict = 'ok' | 'note' | 'warning' | 'failed'

export interface CheckResult {
  readonly name: string
  readonly verdict: Verdict
  /** What is so, in one line. */
  readonly finding: string
  /** What to do about it, where there is something. */
  readonly next?: string
}

export interface AddOptions {
  readonly name?: string
  readonly profile?: ImportProfile
  /** Keep the bytes in the store, for files that will be deleted. */
  readonly copy?: boolean
  /** A .torrent file, which the path is held against, and served as. */
  readonly torrent?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: AddProgress) => void
}

export type ImportProfile = 'unixfs-v1-2025' | 'unixfs-v0-2015'

export interface AddProgress {
  /** Bytes hashed so far, and in all. */
  readonly done: number
  readonly total: number
  readonly files: number
}

export interface ImportOptions {
  /** The share's name, where the file has one root; else each is named after the file, or its CID. */
  readonly name?: string
  /** Only store the blocks; they are served, until `gc`. */
  readonly blocks?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: VerifyProgress) => void
}

export interface ImportResult {
  /** What the roots of the file are now. */
  readonly shares: readonly ShareInfo[]
  /** Roots that could not become shares, and why. */
  readonly failed: readonly { readonly cid: string; readonly error: ErrorJson }[]
  /** Blocks in the file, and their bytes. */
  readonly blocks: number
  readonly bytes: number
}

export interface GetOptions {
  /** Where to put it: a directory that exists, or the name it is to have. Default: the current directory. */
  readonly output?: string
  /** Multiaddrs to try first. */
  readonly peers?: readonly string[]
  /** Of a torrent without a CID only files that match one of these; a pattern without `/` is for names, a directory for all in it. */
  readonly only?: readonly string[]
  /** Fetch it in file order, so that it can be read from its start while it comes. Peers have less to exchange then. */
  readonly stream?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: GetProgress) => void
}

/** What a `get` reports now and then; `notice` carries a ShareError's shape for what is worth saying but not fatal. */
export interface GetProgress {
  readonly share: ShareInfo
  readonly notice?: ErrorJson
}

export interface ListEntry {
  readonly name: string
  readonly cid: string
  readonly kind: 'file' | 'directory' | 'symlink'
  /** Bytes of content; for directories undefined, where the DAG does not say. */
  readonly size: number | undefined
}

export interface VerifyOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: VerifyProgress) => void
}

/** Bytes read so far, and in all. */
export interface VerifyProgress {
  readonly done: number
  readonly total: number
}

export interface VerifyResult {
  readonly cid: string
  readonly pieces: number
  readonly bytes: number
  readonly damaged: readonly DamagedFile[]
}

/** Bytes hashed so far, and in all; `notice` says why a link goes without info hashes. */
export interface HashProgress {
  readonly done: number
  readonly total: number
  readonly notice?: ErrorJson
}

export interface LinkOptions {
  /** Without: the CID alone, at once. */
  readonly torrent?: boolean
  /** URLs of trackers: the share is announced there from now on, and those named before are forgotten. */
  readonly trackers?: readonly string[]
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: HashProgress) => void
}

export interface TorrentOptions {
  /** `hybrid` unless told: for every client but old ones, which refuse it and take `v1`. */
  readonly version?: 'v1' | 'v2' | 'hybrid'
  /** As for a link. */
  readonly trackers?: readonly string[]
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: HashProgress) => void
}

export interface TorrentSummary {
  readonly cid: string
  readonly name: string
  readonly version: 'v1' | 'v2' | 'hybrid'
  readonly pieceLength: number
  readonly pieces: number
  /** In hex: SHA-1 and SHA-256 of the info dictionary, those that the version has. */
  readonly infoHashes: { readonly v1?: string; readonly v2?: string }
}

export interface Torrent extends TorrentSummary {
  /** The .torrent file. The same share under the same name gives the same bytes. */
  readonly bytes: Uint8Array
}

export interface GcResult {
  readonly blocks: number
  readonly bytes: number
}

export interface ConnectedPeer {
  readonly id: string
  readonly address: string
  readonly direction: 'inbound' | 'outbound'
}

export interface NodeEvents {
  /** A share's state changed, or it was added or removed (`undefined`). */
  share: { readonly cid: string; readonly share: ShareInfo | undefined }
  banned: { readonly cid: string; readonly peer: BannedPeer }
  peerConnected: ConnectedPeer
  peerDisconnected: { readonly id: string }
}

/** One running peer. Get it from `createNode`. Every method throws ShareError. */
export interface Node {
  readonly identity: NodeIdentity
  add(path: string, options?: AddOptions): Promise<ShareInfo>
  /** Downloads a CID, a path under one, a link, or a torrent: its file, a URL of it, or its info hash; resolves when the bytes are in place and durable. */
  get(target: string, options?: GetOptions): Promise<ShareInfo>
  /** The content of one file, in order, verified. `range` is inclusive, as in HTTP. */
  cat(target: string, options?: CatOptions): AsyncIterable<Uint8Array>
  ls(target: string, options?: SourceOptions): AsyncIterable<ListEntry>
  /** Read a DAG by its blocks. Throws NOBODY_HAS_IT, TIMED_OUT. */
  blocks(root: CID, options?: BlocksOptions): Blocks
  /** The blocks below a CID, a path under one, or a link, as a CAR file: the bytes that `ipfs dag export` writes. */
  export(target: string, options?: SourceOptions): AsyncIterable<Uint8Array>
  /** Takes in a CAR file, version 1 or 2; its bytes are kept in the store. */
  import(path: string, options?: ImportOptions): Promise<ImportResult>
  /** Forgets a share; its files stay, only unfinished partial files go. */
  rm(cid: string): Promise<void>
  /**
   * One string with the CID, the info hashes, the name and this node's addresses. The first one for a share reads all of it.
   */
  link(cid: string, options?: LinkOptions): Promise<string>
  /** A .torrent file for the share. The first one reads all of it. */
  torrent(cid: string, options?: TorrentOptions): Promise<Torrent>
  pause(cid: string): Promise<void>
  resume(cid: string): Promise<void>
  /** Limits one share, in bytes a second; 0 lifts a limit, what is not named stays. Kept over restarts. */
  limit(cid: string, rates: Partial<Rates>): Promise<ShareInfo>
  /** Limits everything together, until the node stops; `limits.up` and `limits.down` are its configuration. */
  limitAll(rates: Partial<Rates>): void
  verify(cid: string, options?: VerifyOptions): Promise<VerifyResult>
  gc(): Promise<GcResult>
  status(): Promise<ShareInfo[]>
  /** Looks at what may keep others from this node: one result for each check, as it is done. */
  examine(): AsyncIterable<CheckResult>
  peers(): ConnectedPeer[]
  connect(address: string, options?: { signal?: AbortSignal }): Promise<ConnectedPeer>
  on<K extends keyof NodeEvents>(event: K, listener: (detail: NodeEvents[K]) => void): () => void
  stop(): Promise<void>
}

export interface BlocksOptions {
  readonly peers?: readonly string[]
  /** Ask nobody: what is not here is NOBODY_HAS_IT. */
  readonly local?: boolean
  /** Milliseconds that a block is waited for; without, until the signal says so, or nobody is found. */
  readonly patience?: number
  /** They leave this node: they are held back by its upload limits, and by those of the root's share. */
  readonly upload?: boolean
  readonly signal?: AbortSignal
}

/** The blocks of one root, verified: from here, else from peers. Dispose of it when you have them. */
export interface Blocks extends Disposable {
  /** A DAG node; kept until `gc`, for it is asked for again. */
  readonly node: (cid: CID) => Promise<Uint8Array>
  /** Any block, passed through. */
  readonly block: (cid: CID) => Promise<Uint8Array>
}

export interface SourceOptions {
  /** Addresses of nodes, and URLs of gateways, to ask first. */
  readonly peers?: readonly string[]
  readonly signal?: AbortSignal
}

export interface CatOptions extends SourceOptions {
  readonly range?: { readonly first: number; readonly last?: number }
}
