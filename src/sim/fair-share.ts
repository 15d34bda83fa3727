/**
 * What a leecher could have had at best: the uplinks of all who are there, shared equally by those who download,
 * integrated over time, so that the mean over any stay is a difference of two readings.
 */
export class FairShare {
  #uplinks = 0
  #takers = 0
  #bytes = 0
  #at = 0

  /** From `now` (ms) on there is more or less uplink (bytes a second), and more or fewer peers that download. */
  change(now: number, uplink: number, takers: number): void {
    this.#bytes = this.read(now)
    this.#at = now
    this.#uplinks += uplink
    this.#takers += takers
  }

  /** Bytes that a peer who downloads from the beginning could have had. */
  read(now: number): number {
    if (this.#takers === 0) return this.#bytes
    return this.#bytes + ((this.#uplinks / this.#takers) * (now - this.#at)) / 1000
  }
}
