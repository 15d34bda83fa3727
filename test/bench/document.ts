/** Puts results into docs/benchmarks.md, between a case's two comments, and its picture beside. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { pictureOf } from './picture.ts'
import type { CaseResults, Results } from './results.ts'
import { captionOf, tableOf } from './table.ts'

const DOCUMENT = new URL('../../docs/benchmarks.md', import.meta.url)

const PICTURES = new URL('../../docs/bench/', import.meta.url)

/** @throws Error when the document has no place for a case */
export async function document(results: Results): Promise<void> {
  await mkdir(PICTURES, { recursive: true })
  let text = await readFile(DOCUMENT, 'utf8')
  for (const each of results.cases) {
    const picture = pictureOf(each)
    if (picture === undefined || each.failures.length > 0) continue
    await writeFile(new URL(`${each.name}.svg`, PICTURES), picture)
    text = replaced(text, each.name, section(each, results))
  }
  await writeFile(DOCUMENT, text)
}

function section(each: CaseResults, { machine, date }: Results): string {
  return [
    captionOf(each),
    '',
    tableOf(each),
    '',
    `![When each leecher was done](bench/${each.name}.svg)`,
    '',
    `${machine}; ${date}.`,
  ].join('\n')
}

function replaced(text: string, name: string, section: string): string {
  const [open, close] = [`<!-- swarm ${name} -->`, `<!-- /swarm ${name} -->`]
  const [from, to] = [text.indexOf(open), text.indexOf(close)]
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no ${open} … ${close}`)
  return `${text.slice(0, from + open.length)}\n\n${section}\n\n${text.slice(to)}`
}
