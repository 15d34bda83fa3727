/**
 * Addresses of a torrent's peers that may be called, and when: who does not answer is called again after ever longer
 * pauses, and forgotten at last where there are others. Pure: time comes in as an argument.
 */
import { type Endpoint, endpointText } from '../../core/endpoint.ts'
import type { Millis } from '../../core/types.ts'
import type { PeerSource } from '../sources.ts'

/** Kept of one torrent; further ones take the place of those that failed most. */
const MOST_CANDIDATES = 1_000

/** Pauses after calls in vain; the last one repeats. A peer that a person names may just be starting. */
const PAUSES_MS = [10_000, 30_000, 120_000, 600_000, 1_800_000]
const NAMED_PAUSES_MS = [1_000, 2_000, 5_000]

/** A connection that came about and ended: after that it may be called again. */
const AGAIN_MS = 15_000

/** Of a seed that we, too, want nothing of. */
const LATER_MS = 1_800_000

interface Candidate {
  readonly endpoint: Endpoint
  named: boolean
  failures: number
  /** It is being called, or connected. */
  busy: boolean
  due: number
}

export class Candidates {
  readonly #known = new Map<string, Candidate>()

  get size(): number {
    return this.#known.size
  }

  /** True when there is somebody new. */
  add(endpoints: readonly Endpoint[], source: PeerSource): boolean {
    let fresh = false
    for (const endpoint of endpoints) {
      const key = endpointText(endpoint)
      const known = this.#known.get(key)
      if (known !== undefined) {
        known.named ||= source === 'named'
        continue
      }
      if (this.#known.size >= MOST_CANDIDATES && !this.#makeRoom()) return fresh
      this.#known.set(key, { endpoint, named: source === 'named', failures: 0, busy: false, due: 0 })
      fresh = true
    }
    return fresh
  }

  /** Who is to be called now; it counts as being called. Those that never failed come first, named ones before others. */
  next(now: Millis): Endpoint | undefined {
    let best: Candidate | undefined
    for (const candidate of this.#known.values())
      if (!candidate.busy && candidate.due <= now && (best === undefined || goesBefore(candidate, best)))
        best = candidate
    if (best !== undefined) best.busy = true
    return best?.endpoint
  }

  /** When somebody may be called again; Infinity where there is nobody. */
  get dueAt(): number {
    let due = Number.POSITIVE_INFINITY
    for (const candidate of this.#known.values()) if (!candidate.busy) due = Math.min(due, candidate.due)
    return due
  }

  /** It has called us, or we it. */
  connected(endpoint: Endpoint): void {
    const candidate = this.#known.get(endpointText(endpoint))
    if (candidate === undefined) return
    candidate.busy = true
    candidate.failures = 0
  }

  failed(endpoint: Endpoint, now: Millis): void {
    const candidate = this.#known.get(endpointText(endpoint))
    if (candidate === undefined) return
    const pauses = candidate.named ? NAMED_PAUSES_MS : PAUSES_MS
    candidate.busy = false
    candidate.due = now + (pauses[Math.min(candidate.failures, pauses.length - 1)] ?? 0)
    candidate.failures++
  }

  /** The connection ended. `useless`: neither has anything for the other. */
  ended(endpoint: Endpoint, useless: boolean, now: Millis): void {
    const candidate = this.#known.get(endpointText(endpoint))
    if (candidate === undefined) return
    candidate.busy = false
    candidate.due = now + (useless ? LATER_MS : AGAIN_MS)
  }

  drop(endpoint: Endpoint): void {
    this.#known.delete(endpointText(endpoint))
  }

  #makeRoom(): boolean {
    let worst: Candidate | undefined
    for (const candidate of this.#known.values())
      if (!candidate.busy && !candidate.named && candidate.failures > (worst?.failures ?? 0))
        worst = candidate
    return worst !== undefined && this.#known.delete(endpointText(worst.endpoint))
  }
}

function goesBefore(one: Candidate, other: Candidate): boolean {
  if (one.named !== other.named) return one.named
  return one.failures < other.failures
}
