/** Tables in Markdown, which read well in a terminal too, and their places in a document. */

export interface Table {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** The first column is text, the others are figures. */
export function tableText({ head, rows }: Table): string {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)))
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, at) =>
      at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
    )
    return `| ${padded.join(' | ')} |`
  }
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

/** Puts text between `<!-- sim:NAME -->` and `<!-- /sim:NAME -->`, which are appended where they are missing. */
export function placed(document: string, name: string, text: string): string {
  const [open, close] = [`<!-- sim:${name} -->`, `<!-- /sim:${name} -->`]
  const from = document.indexOf(open)
  const to = document.indexOf(close)
  const block = `${open}\n\n${text}\n\n${close}`
  if (from < 0 || to < from) return `${document}${document === '' ? '' : '\n'}${block}\n`
  return document.slice(0, from) + block + document.slice(to + close.length)
}
