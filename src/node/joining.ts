/**
 * By which wire a peer takes part in a swarm: by the share wire if both speak it, else by Bitswap. A share session
 * that ended while the peer stays is opened again, after ever longer pauses; where none comes to anything, Bitswap
 * does meanwhile.
 */
import type { PeerKey, RootKey } from '../core/types.ts'
import type { Wire } from '../swarm/events.ts'

/** Pauses before the share wire is tried again; the last one repeats. */
const PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000]

/** Sessions in vain after which the peer takes part by Bitswap. */
const MOST_IN_VAIN = 3

export interface JoiningContext {
  /** The swarm is downloaded, and the peer is not banned. */
  wants(root: RootKey, peer: PeerKey): boolean
  /** How the peer takes part now. */
  wireOf(root: RootKey, peer: PeerKey): Wire | undefined
  speaksShare(peer: PeerKey): Promise<boolean>
  /** False when the peer does not speak it after all. */
  openShare(root: RootKey, peer: PeerKey): Promise<boolean>
  joinByBitswap(root: RootKey, peer: PeerKey): void
}

interface Attempt {
  /** Sessions that ended, and attempts, since the peer last took part by the share wire. */
  inVain: number
  timer: NodeJS.Timeout | undefined
}

export class Joining {
  readonly #context: JoiningContext
  readonly #attempts = new Map<RootKey, Map<PeerKey, Attempt>>()

  constructor(context: JoiningContext) {
    this.#context = context
  }

  /** The peer has the root, or looks for it: from now on it is to take part. */
  join(root: RootKey, peer: PeerKey): void {
    if (!this.#context.wants(root, peer) || this.#attempts.get(root)?.has(peer) === true) return
    const attempt: Attempt = { inVain: 0, timer: undefined }
    const attempts = this.#attempts.get(root) ?? new Map<PeerKey, Attempt>()
    this.#attempts.set(root, attempts.set(peer, attempt))
    void this.#try(root, peer, attempt)
  }

  /** It takes part by the share wire, whoever opened the session. */
  joined(root: RootKey, peer: PeerKey): void {
    const attempt = this.#attempts.get(root)?.get(peer)
    if (attempt === undefined) return
    attempt.inVain = 0
    clearTimeout(attempt.timer)
  }

  /** Its session ended. */
  left(root: RootKey, peer: PeerKey): void {
    const attempt = this.#attempts.get(root)?.get(peer)
    if (attempt !== undefined) this.#tryLater(root, peer, attempt)
  }

  /** The peer is not connected any more. */
  gone(peer: PeerKey): void {
    for (const attempts of this.#attempts.values()) {
      clearTimeout(attempts.get(peer)?.timer)
      attempts.delete(peer)
    }
  }

  /** The swarm is closed, or needs nobody any more: who comes is welcome, nobody is called. */
  closed(root: RootKey): void {
    for (const { timer } of this.#attempts.get(root)?.values() ?? []) clearTimeout(timer)
    this.#attempts.delete(root)
  }

  stop(): void {
    for (const root of [...this.#attempts.keys()]) this.closed(root)
  }

  /** Opens a session unless there is one, and looks again later. */
  async #try(root: RootKey, peer: PeerKey, attempt: Attempt): Promise<void> {
    const speaks = await this.#opened(root, peer)
    if (this.#attempts.get(root)?.get(peer) !== attempt) return
    const wire = this.#context.wireOf(root, peer)
    const inVain = !speaks || attempt.inVain >= MOST_IN_VAIN
    if (wire === undefined && inVain) this.#context.joinByBitswap(root, peer)
    if (wire === undefined || wire === 'bitswap') this.#tryLater(root, peer, attempt)
  }

  #tryLater(root: RootKey, peer: PeerKey, attempt: Attempt): void {
    clearTimeout(attempt.timer)
    const pause = PAUSES_MS[Math.min(attempt.inVain, PAUSES_MS.length - 1)]
    attempt.inVain++
    attempt.timer = setTimeout(() => void this.#try(root, peer, attempt), pause)
  }

  async #opened(root: RootKey, peer: PeerKey): Promise<boolean> {
    const { openShare, speaksShare, wireOf } = this.#context
    const wire = wireOf(root, peer)
    if (wire !== undefined && wire !== 'bitswap') return true
    try {
      return (await speaksShare(peer)) && (await openShare(root, peer))
    } catch {
      // it may be about to go; the next attempt shows
      return true
    }
  }
}
