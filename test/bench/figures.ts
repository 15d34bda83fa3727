/** What a run's counts mean. */
import { fluidBound } from '../../src/sim/bound.ts'
import type { Case } from './cases.ts'
import type { Measured } from './measure.ts'

export interface Figures {
  /** Seconds: the least that fluids would take from the first start to the last end. */
  readonly bound: number
  /** Seconds from the first start to the last end. */
  readonly total: number
  /** Seconds from a leecher's own start to its end, on average. */
  readonly mean: number
  /** `bound` over `total`. */
  readonly efficiency: number
  /** Bytes that the seeder sent, over the file's size. */
  readonly seederCopies: number
  /** Bytes that everyone sent, over what everyone had to receive. */
  readonly sentCopies: number
  /** Seconds of the program's processes. */
  readonly cpu: number
  /** The part of all cores' time that the machine was busy: near 1 the processors were measured, not the links. */
  readonly busy: number
  /** The part of it that was neither the program's nor the network's between its peers, as far as one can tell. */
  readonly others: number
  /** Seconds after the first start, one for each leecher. */
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

/** `cores` is how many the machine has. */
export function figuresOf(
  { size, seeder, leechers, apart }: Case,
  measured: Measured,
  cores: number,
): Figures {
  const everyone = leechers.map((link, at) => ({
    ...link,
    downloads: true,
    uploads: true,
    joinsAt: at * apart,
  }))
  const bound = fluidBound(size, seeder.up, everyone) / 1000
  const starts = measured.downloads.map(({ start }) => start / 1000)
  const ends = measured.downloads.map(({ end }) => end / 1000)
  const total = Math.max(...ends)
  const sent = sum(measured.sent)
  return {
    bound,
    total,
    mean: (sum(ends) - sum(starts)) / ends.length,
    efficiency: bound / total,
    seederCopies: (measured.sent[0] ?? 0) / size,
    sentCopies: sent / (size * leechers.length),
    cpu: measured.cpu.program,
    busy: measured.cpu.machine / (total * cores),
    others: (measured.cpu.machine - measured.cpu.program) / (total * cores),
    starts,
    ends,
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
