/** The tables of docs/reliability.md, each between two marks, written from what the tests counted. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Count } from './tally.ts'

const DOCUMENT = fileURLToPath(new URL('../../docs/reliability.md', import.meta.url))

/** Replaces the table of a name by a line and the counts in a file, which is missing where nothing was counted. */
export function writeTable(name: string, said: string, counts: string): void {
  const begin = `<!-- ${name}: begin -->`
  const end = `<!-- ${name}: end -->`
  const text = readFileSync(DOCUMENT, 'utf8')
  const [before = '', rest] = text.split(begin)
  const [, after] = rest?.split(end) ?? []
  if (after === undefined) throw new Error(`${DOCUMENT} has no marks for ${name}`)
  const rows = (existsSync(counts) ? readFileSync(counts, 'utf8').trimEnd().split('\n') : [])
    .map((line) => JSON.parse(line) as Count)
    .map(({ fault, times, outcome }) => `| ${fault} | ${times} | ${outcome} |`)
    .sort()
  const table = ['| what was done | times | what came of it |', '| --- | --- | --- |', ...rows].join('\n')
  writeFileSync(DOCUMENT, `${before}${begin}\n${said}\n\n${table}\n${end}${after}`)
}
