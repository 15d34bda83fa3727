/** What each policy is worth: the scenarios in which it matters, with it and without it. */
import { POLICY, type Policy } from '../swarm/policy.ts'
import { type Figures, figuresOf } from './figures.ts'
import { SCENARIOS } from './scenarios.ts'
import type { Table } from './table.ts'

interface Ablation {
  /** What is done instead, by what it is called. */
  readonly variants: Readonly<Record<string, Partial<Policy>>>
  readonly scenarios: readonly string[]
}

export const ABLATIONS: Readonly<Record<keyof Policy, Ablation>> = {
  offers: {
    variants: { 'peers pull': { offers: false } },
    scenarios: ['8x128', '8x128-slow4', '16x256', '64x512-30', '8x32', 'equal-links'],
  },
  expect: { variants: { untold: { expect: false } }, scenarios: ['8x128', '16x256', '64x512-30'] },
  rarest: {
    variants: { 'any piece': { rarest: false } },
    scenarios: ['64x512-30', 'seeder-leaves', 'leave-on-completion', 'bittorrent-pullers'],
  },
  unreplicated: {
    variants: { 'fewest pieces': { unreplicated: false } },
    scenarios: ['8x128', '8x128-slow4', '16x256'],
  },
  sends: {
    variants: {
      one: { sends: { always: 1, most: 1 } },
      two: { sends: { always: 2, most: 2 } },
    },
    scenarios: ['8x128', '8x128-slow4', 'equal-links', 'half-half', '100ms-equal'],
  },
  seederSends: {
    variants: {
      one: { seederSends: { always: 1, most: 1 } },
      three: { seederSends: { always: 3, most: 3 } },
    },
    scenarios: ['8x128', '8x128-slow4', 'equal-links', 'half-half', '100ms-equal'],
  },
  lookAheadRoundTrips: {
    variants: {
      '1 RTT': { lookAheadRoundTrips: 1 },
      '2 RTT': { lookAheadRoundTrips: 2 },
      '8 RTT': { lookAheadRoundTrips: 8 },
    },
    scenarios: ['8x128', '8x128-slow4', '100ms', '100ms-equal', '8x128-lan'],
  },
  busy: {
    variants: { 'never busy': { busy: false } },
    scenarios: ['thin-downlinks', 'equal-links', 'equal-links-8x32', 'half-half', '100ms-equal'],
  },
  eager: {
    variants: { 'offer first': { eager: false } },
    scenarios: ['8x32', '8x128', '100ms', 'staggered'],
  },
  split: {
    variants: { 'no split': { split: false } },
    scenarios: ['8x32', '8x128', '8x128-slow4', 'equal-links', '100ms'],
  },
  reciprocity: { variants: { 'no memory': { reciprocity: false } }, scenarios: ['free-riders-20'] },
  choker: { variants: { 'all unchoked': { choker: false } }, scenarios: ['many-pullers'] },
  snubbing: {
    variants: { 'no snubbing': { snubbing: false } },
    scenarios: ['stalls-bittorrent', 'pauses', 'liars-10'],
  },
  suggestions: {
    variants: { 'no suggestions': { suggestions: false } },
    scenarios: ['all-bittorrent', 'bittorrent-pullers', 'many-pullers'],
  },
}

const HEAD = [
  'policy: what instead',
  'scenario',
  'efficiency',
  'without',
  "seeder's copies",
  'without',
  'bytes in vain',
  'without',
]
const RIDERS = 'riders / contributors'

/** Of one policy; the figures with it come from `usual`, which keeps them. */
export function ablationTable(
  name: keyof Policy,
  seeds: number,
  usual: (scenario: string) => Figures,
): Table {
  const { variants, scenarios } = ABLATIONS[name]
  const rows = scenarios.flatMap((key) => {
    const scenario = SCENARIOS[key]
    if (scenario === undefined) throw new Error(`no scenario ${key}`)
    const before = usual(key)
    return Object.entries(variants).map(([instead, change]) => {
      const after = figuresOf(key, scenario, seeds, { ...POLICY, ...change })
      return [`${name}: ${instead}`, key, ...cells(before, after)]
    })
  })
  return { head: [...HEAD, RIDERS, 'without'], rows }
}

function cells(before: Figures, after: Figures): string[] {
  const columns: readonly ((figures: Figures) => string)[] = [
    ({ efficiency }) => efficiency.toFixed(3),
    ({ copies }) => copies.toFixed(2),
    ({ duplicate, corrupt, cut }) => `${(100 * (duplicate + corrupt + cut)).toFixed(2)} %`,
    ({ riders }) => (riders > 0 ? riders.toFixed(2) : ''),
  ]
  return columns.flatMap((column) => [column(before), column(after)])
}
