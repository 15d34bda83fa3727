/** What this node knows of its peers over all swarms: bytes moved, and who is banned and why. */
import type { PeerKey } from '../core/types.ts'

export class PeerBook {
  readonly #banned = new Map<PeerKey, string>()

  /** False when the peer was banned already. */
  ban(peer: PeerKey, reason: string): boolean {
    if (this.#banned.has(peer)) return false
    this.#banned.set(peer, reason)
    return true
  }

  isBanned(peer: PeerKey): boolean {
    return this.#banned.has(peer)
  }
}
