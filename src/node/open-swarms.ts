/**
 * The roots that this node trades in now: their pieces, what of them is here, where pieces are read and stored,
 * and by which wire each peer takes part. The scheduler's view of the same swarms knows no CIDs and no files.
 */
import type { PieceTable } from '../content/manifest.ts'
import { Bitfield } from '../core/bitfield.ts'
import type { ShareError } from '../core/errors.ts'
import type { PeerKey, RootKey } from '../core/types.ts'
import type { FetchSession } from '../exchange/bitswap/node-fetcher.ts'
import type { Wire } from '../swarm/events.ts'

/** How long the pieces of a swarm are. */
interface PieceSizes {
  readonly length: number
  /** Bytes of each on the wire, and of one. */
  readonly blockSizes: Uint32Array
  blockSize(piece: number): number
  /** Bytes of file content in a piece. */
  size(piece: number): number
}

/** What a running download lends to its swarm. */
export interface DownloadPort {
  readonly pieces: PieceSizes
  readonly session: FetchSession
  /** Resolves once the bytes are written. */
  store(piece: number, block: Uint8Array): Promise<void>
  /** All pieces are stored. */
  onComplete(): void
  /** The first piece is here: from now on this node is worth asking. */
  onFirstPiece(): void
  onFailure(error: ShareError): void
}

/** Bytes that were put together, and whether they are the piece; their buffer was away meanwhile. */
interface CheckedPiece {
  readonly piece: Uint8Array<ArrayBuffer>
  readonly right: boolean
}

export interface OpenSwarm {
  readonly root: RootKey
  readonly pieces: PieceSizes
  /** The leaves of a DAG that the pieces are; undefined where they are those of a torrent that has no CID yet. */
  readonly leaves: PieceTable | undefined
  /** Checks bytes that were put together, where not the leaf's CID does. @throws ShareError where nothing can be right */
  readonly check?: (piece: number, bytes: Uint8Array<ArrayBuffer>) => Promise<CheckedPiece>
  /** Stored pieces. Live once the manifest is final; a longer one takes its place while that grows. */
  have: Bitfield
  /** Every piece is known. */
  final: boolean
  /** Fills it; undefined where everything is here. */
  download: DownloadPort | undefined
  /** A piece's block; undefined when it is not here. */
  read(piece: number): Promise<Uint8Array | undefined>
  /** A part of it, where reading all would be much more. */
  readPart?(piece: number, begin: number, length: number): Promise<Uint8Array | undefined>
  /** Shares whose bytes it gives out: itself, or those that the root is part of. */
  readonly shares: ReadonlySet<RootKey>
  readonly members: Map<PeerKey, Wire>
}

/** What a swarm's pieces are, and where they are read. */
export type PieceSource = Pick<OpenSwarm, 'leaves' | 'check' | 'read' | 'readPart'>

export class OpenSwarms {
  readonly #swarms = new Map<RootKey, OpenSwarm>()

  add(swarm: Omit<OpenSwarm, 'members'>): OpenSwarm {
    const added = { ...swarm, members: new Map() }
    this.#swarms.set(swarm.root, added)
    return added
  }

  get(root: RootKey): OpenSwarm | undefined {
    return this.#swarms.get(root)
  }

  delete(root: RootKey): void {
    this.#swarms.delete(root)
  }

  [Symbol.iterator](): IterableIterator<OpenSwarm> {
    return this.#swarms.values()
  }

  /** Those that are being downloaded. */
  *downloads(): Generator<OpenSwarm & { download: DownloadPort }> {
    for (const swarm of this.#swarms.values()) if (isDownload(swarm)) yield swarm
  }
}

export function isDownload(swarm: OpenSwarm): swarm is OpenSwarm & { download: DownloadPort } {
  return swarm.download !== undefined
}

/** The swarm of something whose bytes are all here. */
export function wholeSwarm(
  root: RootKey,
  pieces: PieceTable,
  source: Pick<OpenSwarm, 'read' | 'shares'>,
): Omit<OpenSwarm, 'members'> {
  const have = Bitfield.full(pieces.length)
  return { root, pieces, leaves: pieces, have, final: true, download: undefined, ...source }
}
