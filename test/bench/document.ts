/** Puts a case's results into docs/benchmarks.md, between its two comments, and its picture beside. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'

const DOCUMENT = new URL('../../docs/benchmarks.md', import.meta.url)

const PICTURES = new URL('../../docs/bench/', import.meta.url)

export interface Section {
  readonly name: string
  readonly text: string
  /** An SVG. */
  readonly picture: string
  /** What the picture shows. */
  readonly shows: string
}

/** `kind` is what the comments call the benchmark. @throws Error when the document has no place for a case */
export async function document(kind: string, sections: readonly Section[], when: string): Promise<void> {
  await mkdir(PICTURES, { recursive: true })
  let document = await readFile(DOCUMENT, 'utf8')
  for (const { name, text, picture, shows } of sections) {
    await writeFile(new URL(`${name}.svg`, PICTURES), picture)
    const section = [text, '', `![${shows}](bench/${name}.svg)`, '', when].join('\n')
    document = replaced(document, `${kind} ${name}`, section)
  }
  await writeFile(DOCUMENT, document)
}

/** Puts a text between the two comments of this name. @throws Error when the document has none */
export async function place(name: string, text: string): Promise<void> {
  await writeFile(DOCUMENT, replaced(await readFile(DOCUMENT, 'utf8'), name, text))
}

/** The document with another section between the two comments of this name. @throws Error when it has none */
function replaced(text: string, name: string, section: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [from, to] = [text.indexOf(open), text.indexOf(close)]
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no ${open} … ${close}`)
  return `${text.slice(0, from + open.length)}\n\n${section}\n\n${text.slice(to)}`
}
