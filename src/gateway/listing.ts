/** The page that lists a directory, as its names come. */
import type { CID } from 'multiformats/cid'
import { formatBytes } from '../core/units.ts'
import type { Asked } from './asked.ts'

export interface Listed {
  readonly name: string
  readonly cid: CID
  /** Bytes of everything under it, as its directory says. */
  readonly tsize: number | undefined
}

const STYLE = `
body { font: 16px/1.4 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; width: 100% }
td { padding: .2em .5em; border-top: 1px solid #ccc }
td:nth-child(3) { text-align: right; white-space: nowrap }
.ipfs-hash { font: 12px monospace; color: #666 }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd } a { color: #8bf } }
`

/** Bytes of page gathered before they are sent. */
const CHUNK = 16_384

export async function* listing(asked: Asked, entries: AsyncIterable<Listed>): AsyncGenerator<Uint8Array> {
  const root = `/ipfs/${asked.root}`
  const address = [root, ...asked.segments.map(encodeURIComponent)].join('/')
  let page = head(asked, root)
  if (asked.segments.length > 0) page += row(`<a href="${escaped(address)}/..">..</a>`, '', '')
  for await (const { name, cid, tsize } of entries) {
    const link = `<a href="${escaped(`${address}/${encodeURIComponent(name)}`)}">${escaped(name)}</a>`
    page += row(link, hashLink(cid, name), tsize === undefined ? '' : formatBytes(tsize))
    if (page.length < CHUNK) continue
    yield Buffer.from(page)
    page = ''
  }
  yield Buffer.from(`${page}</table>\n</body>\n</html>\n`)
}

function head(asked: Asked, root: string): string {
  const title = escaped(`${root}/${asked.segments.join('/')}`)
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Index of</h1>
<p>${breadcrumbs(asked, root)}</p>
<table>
`
}

function breadcrumbs({ root: cid, segments }: Asked, root: string): string {
  let address = root
  const links = [`<a href="${root}">${cid}</a>`]
  for (const segment of segments) {
    address += `/${encodeURIComponent(segment)}`
    links.push(`<a href="${escaped(address)}">${escaped(segment)}</a>`)
  }
  return `/ipfs/${links.join('/')}`
}

/** The name is encoded twice, as other gateways do, and as the conformance suite wants it. */
function hashLink(cid: CID, name: string): string {
  const query = encodeURIComponent(encodeURIComponent(name))
  return `<a class="ipfs-hash" translate="no" href="/ipfs/${cid}?filename=${query}">${shortened(cid)}</a>`
}

function shortened(cid: CID): string {
  const text = cid.toString()
  return `${text.slice(0, 6)}…${text.slice(-4)}`
}

function row(name: string, hash: string, size: string): string {
  return `<tr><td>${name}</td><td>${hash}</td><td>${size}</td></tr>\n`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.toWellFormed().replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}
