/**
 * The least time in which fluids could do it (Kumar and Ross, Peer-assisted file distribution, 2006): the seeder must
 * send everything once, the slowest downlink must take everything, and all uplinks together must carry every copy.
 * With arrivals: from the first of them, where an uplink carries nothing before its peer is there.
 */
export interface BoundLeecher {
  readonly up: number
  readonly down: number
  /** Whether it wants everything, and gives what it can. */
  readonly downloads: boolean
  readonly uploads: boolean
  /** Ms after the first arrival. */
  readonly joinsAt: number
}

/** In ms; `size` in bytes, rates in bytes a second. */
export function fluidBound(size: number, seederUp: number, leechers: readonly BoundLeecher[]): number {
  let slowest = size / seederUp
  let demand = 0
  let missed = 0
  let uplinks = seederUp
  for (const { up, down, downloads, uploads, joinsAt } of leechers) {
    if (downloads) {
      slowest = Math.max(slowest, joinsAt / 1000 + size / down)
      demand += size
    }
    if (uploads) {
      uplinks += up
      missed += (up * joinsAt) / 1000
    }
  }
  return 1000 * Math.max(slowest, (demand + missed) / uplinks)
}
