/**
 * The table of BitTorrent clients in docs/interop.md, made by the tests: each of them replaces its own row, where the environment
 * says `INTEROP_TABLE=write`. Everywhere else the rows are only printed.
 */
import { readFile, writeFile } from 'node:fs/promises'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

const DOCUMENT = fileURLToPath(new URL('../../docs/interop.md', import.meta.url))
const HEADING = '## BitTorrent clients'
const HEAD = ['| program | what it does | its own count of bytes |', '| --- | --- | --- |']

interface Row {
  /** Name and version. */
  readonly program: string
  readonly what: string
  readonly bytes: number
}

export async function record(t: TestContext, { program, what, bytes }: Row): Promise<void> {
  t.diagnostic(`${program}: ${what}, the same bytes; it counts ${bytes}`)
  if (process.env.INTEROP_TABLE !== 'write') return
  const text = await readFile(DOCUMENT, 'utf8')
  const at = text.indexOf(HEADING)
  const [before, section] = at < 0 ? [text, `${HEADING}\n`] : [text.slice(0, at), text.slice(at)]
  const [, ...others] = section.split(/\n(?=## )/)
  const rows = new Map(rowsOf(section.split(/\n(?=## )/)[0] ?? '').map((row) => [keyOf(row), row]))
  const row = `| ${program} | ${what} | ${bytes} |`
  rows.set(keyOf(row), row)
  const table = [...HEAD, ...[...rows.values()].sort()].join('\n')
  await writeFile(
    DOCUMENT,
    [`${before.trimEnd()}\n\n${HEADING}\n\n${INTRODUCTION}\n\n${table}\n`, ...others].join('\n'),
  )
}

const INTRODUCTION = `On loopback, compared byte by byte. \`npm run check:interop\` does it all again; with \`INTEROP_TABLE=write\` it writes this table.`

function rowsOf(section: string): string[] {
  return section.split('\n').filter((line) => line.startsWith('| ') && !HEAD.includes(line))
}

/** Who does what; versions come and go. */
function keyOf(row: string): string {
  const [, program = '', what = ''] = row.split('|')
  return `${program.trim().split(' ')[0]} ${what}`
}
