/** All scenarios in one table. */
import type { Figures } from './figures.ts'
import type { Table } from './table.ts'

const COLUMNS: Readonly<Record<string, (figures: Figures) => string>> = {
  'D, s': ({ bound }) => seconds(bound),
  'T, s': ({ total }) => seconds(total),
  'D / T': ({ efficiency }) => efficiency.toFixed(3),
  least: ({ leastEfficiency }) => leastEfficiency.toFixed(3),
  "seeder's copies": ({ copies }) => copies.toFixed(2),
  'twice, %': ({ duplicate }) => percent(duplicate),
  'wrong, %': ({ corrupt }) => percent(corrupt),
  'cut off, %': ({ cut }) => percent(cut),
  fairness: ({ fairness }) => fairness.toFixed(3),
  'median, s': ({ median }) => seconds(median),
  riders: ({ riders }) => (riders > 0 ? `${riders.toFixed(2)} ×` : ''),
  complete: ({ completed, expected }) => `${completed} of ${expected}`,
  banned: ({ banned, corruptPeers }) => (corruptPeers > 0 ? `${banned} of ${corruptPeers}` : ''),
}

const HEAD: readonly string[] = ['scenario', ...Object.keys(COLUMNS)]

export const overviewRow = (name: string, figures: Figures): string[] => [
  name,
  ...Object.values(COLUMNS).map((cell) => cell(figures)),
]

export const overviewTable = (rows: readonly string[][]): Table => ({ head: HEAD, rows })

const seconds = (ms: number): string => (Number.isNaN(ms) ? '–' : (ms / 1000).toFixed(2))

const percent = (part: number): string => (100 * part).toFixed(2)
