/**
 * Reading from downloads while they run: what somebody waits for is fetched first, in the order in which it was asked
 * for. A download that is to be streamed fetches its next missing pieces in file order behind that; all the others
 * come rarest first.
 */
import type { CID } from 'multiformats/cid'
import { orAborted } from '../content/abort.ts'
import { RAW } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import type { Store } from '../store/types.ts'
import type { SwarmEvent } from '../swarm/events.ts'
import { isDownload, type OpenSwarm, type OpenSwarms } from './open-swarms.ts'

/** What a streamed download fetches in order: enough for every peer to have something to send, and four pieces at least. */
const WINDOW_BYTES = 16 << 20
const LEAST_WINDOW = 4

export interface ReadersContext {
  readonly store: Store
  readonly swarms: OpenSwarms
  dispatch(event: SwarmEvent): void
}

interface Wait extends PromiseWithResolvers<void> {
  readers: number
}

interface Waits {
  /** By piece, the oldest first. */
  readonly pieces: Map<number, Wait>
  /** For further pieces of the manifest. */
  growth: PromiseWithResolvers<void> | undefined
  streamed: boolean
  /** All pieces before this one are here. */
  from: number
  /** What is urgent now. */
  told: readonly number[]
}

export class Readers {
  readonly #context: ReadersContext
  readonly #waits = new Map<RootKey, Waits>()

  constructor(context: ReadersContext) {
    this.#context = context
  }

  /** From now on, for as long as it runs, this download goes in file order. */
  stream(root: RootKey): void {
    const swarm = this.#context.swarms.get(root)
    if (swarm === undefined || !isDownload(swarm)) return
    this.#waitsOf(root).streamed = true
    this.#tell(swarm)
  }

  /**
   * A block of this root, from its download, once it is here. Undefined when no such download runs, or the block is
   * none of its pieces.
   */
  async block(root: RootKey, cid: CID, signal: AbortSignal): Promise<Uint8Array | undefined> {
    for (;;) {
      const swarm = this.#context.swarms.get(root)
      if (swarm === undefined || !isDownload(swarm)) return undefined
      const { final } = swarm
      const piece = await this.#pieceOf(root, cid)
      if (piece !== undefined) {
        await this.#stored(swarm, piece, signal)
        return swarm.read(piece)
      }
      // a DAG node, or a leaf that the walk has not come to
      if (final || cid.code !== RAW) return undefined
      if (!swarm.final) await orAborted(this.#grown(swarm), signal)
    }
  }

  // --- what happens to a download

  stored(swarm: OpenSwarm, piece: number): void {
    const waits = this.#waits.get(swarm.root)
    if (waits === undefined) return
    waits.pieces.get(piece)?.resolve()
    waits.pieces.delete(piece)
    if (waits.told.includes(piece)) this.#tell(swarm)
  }

  grew(swarm: OpenSwarm): void {
    const waits = this.#waits.get(swarm.root)
    waits?.growth?.resolve()
    if (waits === undefined) return
    waits.growth = undefined
    for (const [piece, wait] of waits.pieces) {
      if (!swarm.have.has(piece)) continue
      wait.resolve()
      waits.pieces.delete(piece)
    }
    this.#tell(swarm)
  }

  /** It is over; what is still waited for does not come from it. */
  closed(root: RootKey): void {
    const waits = this.#waits.get(root)
    this.#waits.delete(root)
    const reason = new ShareError(
      'INTERRUPTED',
      'the download was stopped',
      'start it again, then read again',
    )
    for (const wait of [...(waits?.pieces.values() ?? []), waits?.growth]) wait?.reject(reason)
  }

  async #pieceOf(root: RootKey, cid: CID): Promise<number | undefined> {
    const places = await this.#context.store.locate(cid)
    return places.find((place) => place.root === root)?.piece
  }

  async #stored(swarm: OpenSwarm, piece: number, signal: AbortSignal): Promise<void> {
    if (swarm.have.has(piece)) return
    const { pieces } = this.#waitsOf(swarm.root)
    const wait = pieces.get(piece) ?? { ...withResolvers(), readers: 0 }
    wait.readers++
    pieces.set(piece, wait)
    if (wait.readers === 1) this.#tell(swarm)
    try {
      await orAborted(wait.promise, signal)
    } finally {
      wait.readers--
      if (wait.readers === 0 && pieces.get(piece) === wait) {
        pieces.delete(piece)
        this.#tell(swarm)
      }
    }
  }

  #grown(swarm: OpenSwarm): Promise<void> {
    const waits = this.#waitsOf(swarm.root)
    waits.growth ??= withResolvers()
    return waits.growth.promise
  }

  #tell(swarm: OpenSwarm): void {
    const waits = this.#waitsOf(swarm.root)
    const ahead = waits.streamed ? windowOf(swarm, waits).filter((piece) => !waits.pieces.has(piece)) : []
    const pieces = [...waits.pieces.keys(), ...ahead]
    if (pieces.length === 0 && waits.told.length === 0) return
    waits.told = pieces
    this.#context.dispatch({ type: 'urgent', root: swarm.root, pieces })
  }

  #waitsOf(root: RootKey): Waits {
    const known = this.#waits.get(root)
    if (known !== undefined) return known
    const waits: Waits = { pieces: new Map(), growth: undefined, streamed: false, from: 0, told: [] }
    this.#waits.set(root, waits)
    return waits
  }
}

/** The next missing pieces, in file order. */
function windowOf({ pieces, have }: OpenSwarm, waits: Waits): number[] {
  while (have.has(waits.from)) waits.from++
  const window: number[] = []
  let bytes = 0
  for (let piece = waits.from; piece < pieces.length; piece++) {
    if (have.has(piece)) continue
    if (bytes >= WINDOW_BYTES && window.length >= LEAST_WINDOW) break
    window.push(piece)
    bytes += pieces.blockSize(piece)
  }
  return window
}

function withResolvers(): PromiseWithResolvers<void> {
  const resolvers = Promise.withResolvers<void>()
  // whoever waited may have left
  resolvers.promise.catch(() => undefined)
  return resolvers
}
