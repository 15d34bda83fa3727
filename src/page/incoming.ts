/**
 * Blocks as they come in one answer, checked, for a walk that asks for them by CID. The answer has them depth first; a
 * walk looks a little ahead and asks for siblings too soon, so what comes before it is asked for waits, within bounds.
 */
import type { CID } from 'multiformats/cid'
import { type CarBlock, readCar } from '../content/car-reader.ts'
import { blockKey } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { BlockKey } from '../core/types.ts'
import { Lost } from './remote.ts'

export class Incoming {
  readonly #blocks: AsyncGenerator<CarBlock>
  readonly #mostEarly: number
  readonly #waiting = new Map<BlockKey, PromiseWithResolvers<Uint8Array>[]>()
  readonly #early = new Map<BlockKey, Uint8Array[]>()
  #earlyBytes = 0
  #failure: { readonly reason: unknown } | undefined
  #pumping = false

  /** @param root what the answer is to be of; @param mostEarly bytes that came and were not asked for yet */
  constructor(root: CID, car: AsyncIterable<Uint8Array>, mostEarly: number) {
    this.#blocks = blocksOf(root, car)
    this.#mostEarly = mostEarly
  }

  /** @throws Lost when the answer ends before, ShareError VERIFICATION_FAILED, BAD_CONTENT for one that is wrong */
  readonly block = async (cid: CID): Promise<Uint8Array> => {
    const key = blockKey(cid)
    const early = this.#early.get(key)
    const here = early?.shift()
    if (early?.length === 0) this.#early.delete(key)
    if (here !== undefined) {
      this.#earlyBytes -= here.length
      return here
    }
    if (this.#failure !== undefined) throw this.#failure.reason
    const wait = Promise.withResolvers<Uint8Array>()
    this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), wait])
    void this.#pump()
    return wait.promise
  }

  /** Reads no further. */
  async close(): Promise<void> {
    this.#fail(new Lost('it is read no further'))
    await this.#blocks.return(undefined).catch(() => {})
  }

  /** Reads for as long as somebody waits. */
  async #pump(): Promise<void> {
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (this.#waiting.size > 0) {
        const { done, value } = await this.#blocks.next()
        if (done === true) throw new Lost('the answer ended too soon')
        this.#came(value)
      }
    } catch (thrown) {
      this.#fail(thrown)
    } finally {
      this.#pumping = false
    }
  }

  #came({ cid, block }: CarBlock): void {
    const key = blockKey(cid)
    const waiting = this.#waiting.get(key)
    const [first, ...others] = waiting ?? []
    if (others.length > 0) this.#waiting.set(key, others)
    else this.#waiting.delete(key)
    if (first !== undefined) {
      first.resolve(block)
      return
    }
    this.#earlyBytes += block.length
    if (this.#earlyBytes > this.#mostEarly)
      throw new ShareError('BAD_CONTENT', 'blocks came that nobody asked for', 'tell who sent the link')
    this.#early.set(key, [...(this.#early.get(key) ?? []), block])
  }

  #fail(reason: unknown): void {
    this.#failure ??= { reason }
    for (const waits of this.#waiting.values()) for (const wait of waits) wait.reject(this.#failure.reason)
    this.#waiting.clear()
  }
}

async function* blocksOf(root: CID, car: AsyncIterable<Uint8Array>): AsyncGenerator<CarBlock> {
  const { roots, blocks } = await readCar(car).catch(unreadable)
  if (!roots.some((cid) => blockKey(cid) === blockKey(root))) {
    const message = 'the sender has something else at this address than the link names'
    throw new ShareError('BAD_CONTENT', message, 'copy the whole link, or ask for it again')
  }
  try {
    yield* blocks
  } catch (thrown) {
    unreadable(thrown)
  }
}

/** Whoever reads the page has not heard of CAR files. */
function unreadable(cause: unknown): never {
  if (!(cause instanceof ShareError) || cause.code !== 'BAD_CONTENT') throw cause
  const hint = 'try again; if it comes again, tell who sent you the link'
  throw new ShareError('BAD_CONTENT', 'what came cannot be read', hint, { cause })
}
