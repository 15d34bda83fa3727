/** The page itself, as `npm run build` made it of src/page. The same for every share: what it shows, it asks for. */
import { readFile } from 'node:fs/promises'
import type { Answer } from './answer.ts'

// the same two steps up from src/gateway, dist/gateway and dist/bundle
const BUILT = new URL('../../dist/page/', import.meta.url)

const FILES: ReadonlyMap<string, { readonly file: string; readonly type: string }> = new Map([
  ['', { file: 'index.html', type: 'text/html; charset=utf-8' }],
  ['page.js', { file: 'page.js', type: 'text/javascript; charset=utf-8' }],
  ['page.css', { file: 'page.css', type: 'text/css; charset=utf-8' }],
])

/** Nothing but its own script and style, and nothing from anywhere else; no text is ever taken for markup. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

/** For every answer under a page's address: it is for whoever has the address, and for nobody's cache. */
export const GUARDED = {
  'cache-control': 'private, no-store',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex',
} as const

/** Undefined for a name that is none of its files. */
export async function pageFile(name: string): Promise<Answer | undefined> {
  const known = FILES.get(name)
  if (known === undefined) return undefined
  const bytes = await readFile(new URL(known.file, BUILT))
  return {
    status: 200,
    headers: {
      'content-type': known.type,
      'content-length': String(bytes.length),
      'content-security-policy': POLICY,
    },
    async *body() {
      yield bytes
    },
  }
}
