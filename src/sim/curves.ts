/** How far the peers are over time. */

export interface Curves {
  /** Ms from the first arrival, ascending. */
  readonly times: readonly number[]
  /** At each time, the part done by the median peer, by the slower and the faster tenth, and by all together. */
  readonly median: readonly number[]
  readonly slow: readonly number[]
  readonly fast: readonly number[]
  /** Part of the peers that are complete. */
  readonly complete: readonly number[]
}

/** `storedAt`: for each peer, when it stored each piece, ascending. */
export function curvesOf(
  storedAt: readonly (readonly number[])[],
  pieces: number,
  until: number,
  samples: number,
): Curves {
  const times = Array.from({ length: samples + 1 }, (_, at) => (until * at) / samples)
  const cursors = storedAt.map(() => 0)
  const [median, slow, fast, complete]: [number[], number[], number[], number[]] = [[], [], [], []]
  for (const time of times) {
    const parts = storedAt.map((stored, peer) => {
      let count = cursors[peer] ?? 0
      while (count < stored.length && (stored[count] ?? 0) <= time) count++
      cursors[peer] = count
      return count / pieces
    })
    parts.sort((a, b) => a - b)
    const at = (part: number): number => parts[Math.round(part * (parts.length - 1))] ?? 0
    median.push(at(0.5))
    slow.push(at(0.1))
    fast.push(at(0.9))
    complete.push(parts.filter((part) => part === 1).length / Math.max(1, parts.length))
  }
  return { times, median, slow, fast, complete }
}
