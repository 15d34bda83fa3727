/**
 * The daemon's API: JSON over HTTP on a unix socket. Each command is a POST with a JSON body, each plain question
 * a GET. What takes long answers with server-sent events: any number of reports, then `done` with the result
 * or `error` with an ErrorJson; a stream that ends with neither is broken. When the client goes away, the work
 * it asked for is stopped.
 */
import type { ErrorJson } from '../core/errors.ts'
import type { ImportProfile } from '../node/types.ts'

export interface DaemonInfo {
  readonly running: true
  readonly pid: number
  readonly version: string
  readonly home: string
  /** Multiaddrs listened on, without the peer id. */
  readonly listen: readonly string[]
  /** The BitTorrent port; null where none is open. */
  readonly torrentPort: number | null
  /** The node of BitTorrent's DHT: its UDP port, and how many nodes it knows; null where there is none. */
  readonly torrentDht: { readonly port: number; readonly nodes: number } | null
  /** The HTTP gateway's; null where none is open. */
  readonly gateway: string | null
}

export interface AddRequest {
  /** Absolute. */
  readonly path: string
  readonly name?: string
  readonly profile?: ImportProfile
  readonly copy?: boolean
  /** A .torrent file, absolute. */
  readonly torrent?: string
}

export interface GetRequest {
  readonly target: string
  /** Absolute. */
  readonly output: string
  readonly peers?: readonly string[]
  readonly stream?: boolean
  /** Files of a torrent without a CID. */
  readonly only?: readonly string[]
}

export interface CatRequest {
  readonly target: string
  readonly first?: number
  /** Inclusive. */
  readonly last?: number
}

/** Answered with the bytes of a CAR file. */
export interface ExportRequest {
  readonly target: string
}

export interface ImportRequest {
  /** Absolute. */
  readonly path: string
  readonly name?: string
  readonly blocks?: boolean
}

export interface ListRequest {
  readonly target: string
}

/** For the commands about one share. */
export interface ShareRequest {
  readonly cid: string
}

export interface LinkRequest extends ShareRequest {
  /** Without info hashes when false. */
  readonly torrent?: boolean
  /** The share's trackers from now on. */
  readonly trackers?: readonly string[]
}

export interface TorrentRequest extends ShareRequest {
  readonly version?: 'v1' | 'v2' | 'hybrid'
  readonly trackers?: readonly string[]
}

/** Bytes a second, 0 for unlimited; what is not named stays. */
export interface LimitRequest {
  /** Without it, everything together, until the daemon stops. */
  readonly cid?: string
  readonly up?: number
  readonly down?: number
}

/** A page by which a browser downloads the share. */
export interface PageRequest extends ShareRequest {
  /** Ms from now until it ends by itself. */
  readonly lasts?: number
}

export interface VerifyRequest {
  /** Without it, every share whose bytes are all here. */
  readonly cid?: string
}

export interface ConnectRequest {
  readonly address: string
}

/** The body of every answer that is not 2xx, and of the trailer below. */
export interface ErrorBody {
  readonly error: ErrorJson
}

/** Trailer of a `cat` or `export` that failed after its first byte: an ErrorJson, percent-encoded. */
export const ERROR_TRAILER = 'share-error'
