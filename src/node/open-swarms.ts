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

/** What a running download lends to its swarm. */
export interface DownloadPort {
  readonly pieces: PieceTable
  readonly session: FetchSession
  /** Resolves once the bytes are written. */
  store(piece: number, block: Uint8Array): Promise<void>
  /** All pieces are stored. */
  onComplete(): void
  /** The first piece is here: from now on this node is worth asking. */
  onFirstPiece(): void
  onFailure(error: ShareError): void
}

export interface OpenSwarm {
  readonly root: RootKey
  readonly pieces: PieceTable
  /** Stored pieces. Live once the manifest is final; a longer one takes its place while that grows. */
  have: Bitfield
  /** Every piece is known. */
  final: boolean
  /** Fills it; undefined where everything is here. */
  download: DownloadPort | undefined
  /** A piece's block; undefined when it is not here. */
  read(piece: number): Promise<Uint8Array | undefined>
  /** Shares whose bytes it gives out: itself, or those that the root is part of. */
  readonly shares: ReadonlySet<RootKey>
  readonly members: Map<PeerKey, Wire>
}

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
  return { root, pieces, have: Bitfield.full(pieces.length), final: true, download: undefined, ...source }
}
