/**
 * Which roots this node seeds: complete shares that are neither paused nor damaged, and what lies inside of them, for
 * the root of a file or directory in a share is a root itself. A swarm is opened when somebody first asks for it.
 */
import type { CID } from 'multiformats/cid'
import type { Manifest } from '../content/manifest.ts'
import { walkManifest } from '../content/walk.ts'
import { cidOf } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import type { ShareRow, Store } from '../store/types.ts'
import type { OpenSwarms } from './open-swarms.ts'
import type { SwarmDriver } from './swarm-driver.ts'

/** Parts of shares that are traded in at once; a share has many, and strangers choose them. */
const MOST_PARTS = 64

export interface SeedingContext {
  readonly store: Store
  readonly driver: Pick<SwarmDriver, 'seed' | 'close'> & { readonly swarms: OpenSwarms }
}

export class Seeding {
  readonly #context: SeedingContext
  /** Roots that are being opened. */
  readonly #opening = new Map<RootKey, Promise<boolean>>()

  constructor(context: SeedingContext) {
    this.#context = context
  }

  /** Whether this share is complete and served; opens its swarm. */
  serves(root: RootKey): Promise<boolean> {
    if (!this.#isServed(root)) return Promise.resolve(false)
    return this.#once(root, () => this.#openShare(root))
  }

  /** Whether this root is traded in, as a download, a share or a part of shares; opens its swarm. */
  trades(root: RootKey): Promise<boolean> {
    if (this.#context.driver.swarms.get(root) !== undefined) return Promise.resolve(true)
    if (this.#context.store.share(root) !== undefined) return this.serves(root)
    return this.#once(root, () => this.#openPart(root))
  }

  #isServed(root: RootKey): boolean {
    const row = this.#context.store.share(root)
    return isServed(row)
  }

  async #once(root: RootKey, open: () => Promise<boolean>): Promise<boolean> {
    if (this.#context.driver.swarms.get(root) !== undefined) return true
    const opening = this.#opening.get(root) ?? open().finally(() => this.#opening.delete(root))
    this.#opening.set(root, opening)
    return opening
  }

  async #openShare(root: RootKey): Promise<boolean> {
    const { store, driver } = this.#context
    const manifest = await store.manifest(root)
    // it may have been paused meanwhile, or its download may have begun
    if (manifest === undefined || !this.#isServed(root)) return false
    if (driver.swarms.get(root) === undefined) {
      const read = (piece: number): Promise<Uint8Array | undefined> => store.readPiece(root, piece)
      driver.seed(root, manifest.pieces, { read, shares: new Set([root]) })
    }
    return true
  }

  async #openPart(root: RootKey): Promise<boolean> {
    const { store, driver } = this.#context
    const manifest = await this.#manifestFromHere(root)
    if (manifest === undefined || manifest.pieces.length === 0) return false
    const { pieces } = manifest
    const shares = new Set<RootKey>()
    for (let piece = 0; piece < pieces.length; piece++) {
      const share = await this.#shareOf(pieces.cid(piece), shares)
      if (share === undefined) return false
      shares.add(share)
    }
    if (driver.swarms.get(root) !== undefined) return true
    if (![...shares].every((share) => this.#isServed(share)) || !this.#makeRoom()) return false
    driver.seed(root, pieces, { read: (piece) => store.getBlock(pieces.cid(piece)), shares })
    return true
  }

  /** A share that serves this piece; one of those that serve others is taken before a further one. */
  async #shareOf(cid: CID, before: ReadonlySet<RootKey>): Promise<RootKey | undefined> {
    const served = (await this.#context.store.locate(cid))
      .map(({ root }) => root)
      .filter((root) => this.#isServed(root))
    return served.find((root) => before.has(root)) ?? served[0]
  }

  /** Undefined where a node of it is not here, or it is not content. */
  async #manifestFromHere(root: RootKey): Promise<Manifest | undefined> {
    const { store } = this.#context
    const fetchNode = async (cid: CID): Promise<Uint8Array> => {
      const block = await store.getBlock(cid)
      if (block === undefined) throw new ShareError('NOT_FOUND', `${cid} is not here`, 'get it first')
      return block
    }
    const cid = cidOf(root)
    if ((await store.blockSize(cid)) === undefined) return undefined
    const { manifest, events } = walkManifest(cid, { fetchNode })
    try {
      for await (const _ of events);
      return manifest
    } catch (thrown) {
      if (thrown instanceof ShareError) return undefined
      throw thrown
    }
  }

  /** Closes a part in which nobody trades any more. False when all are in use. */
  #makeRoom(): boolean {
    const { driver } = this.#context
    const parts = [...driver.swarms].filter(({ root, shares }) => !shares.has(root))
    if (parts.length < MOST_PARTS) return true
    const idle = parts.find(({ members }) => members.size === 0)
    if (idle === undefined) return false
    driver.close(idle.root)
    return true
  }
}

/** Complete and given to others: neither paused nor damaged. */
export function isServed(row: ShareRow | undefined): row is ShareRow {
  return row?.phase === 'complete' && !row.paused && row.damaged.length === 0
}
