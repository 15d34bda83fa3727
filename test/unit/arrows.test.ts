/** The listing is the architecture: imports point one way, names say what is inside. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const SRC = fileURLToPath(new URL('../../src/', import.meta.url))

/** Each part, and the parts that it may import from, besides itself. The order is from the top down. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  // the public API
  'index.ts': ['node', 'core'],
  cli: ['daemon', 'node', 'core'],
  daemon: ['gateway', 'node', 'core'],
  gateway: ['node', 'content', 'core'],
  node: ['routing', 'exchange', 'torrent', 'store', 'content', 'swarm', 'core'],
  // what runs in a browser
  page: ['content', 'core'],
  sim: ['swarm', 'core'],
  torrent: ['exchange', 'content', 'swarm', 'core'],
  exchange: ['swarm', 'core'],
  routing: ['core'],
  store: ['content', 'core'],
  content: ['core'],
  swarm: ['core'],
  core: [],
}

interface Source {
  /** Relative to src/. */
  readonly path: string
  readonly text: string
}

async function sources(): Promise<Source[]> {
  const entries = await readdir(SRC, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  return Promise.all(
    files.map(async (file) => {
      const path = join(file.parentPath, file.name)
      return { path: relative(SRC, path), text: await readFile(path, 'utf8') }
    }),
  )
}

/** Comments out, so that prose about `from './x.ts'` is no import. */
const code = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')

/** What a file imports or exports from, types included, and dynamically. */
function specifiers(text: string): string[] {
  const found = code(text).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)
  return [...found].map(([, specifier = '']) => specifier)
}

const partOf = (path: string): string => path.split('/')[0] ?? ''

/** The imports between parts: `node/libp2p.ts -> routing/dht.ts`, with both parts. */
function arrows({ path, text }: Source): { line: string; from: string; to: string }[] {
  return specifiers(text)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => join(dirname(path), specifier))
    .map((target) => ({ line: `${path} -> ${target}`, from: partOf(path), to: partOf(target) }))
    .filter(({ from, to }) => from !== to)
}

describe('the imports of src/', () => {
  it('are found', async () => {
    const text = `
      import a from './a.ts'
      import type { B } from '../b/b.ts'
      export { c } from './c.ts'
      import {
        d,
      } from '../d.ts'
      import '../e.ts'
      const f = await import('./f.ts')
      type G = import('./g.ts').G
      // import h from './h.ts'
      /* import i from './i.ts' */`
    assert.deepEqual(specifiers(text), [
      './a.ts',
      '../b/b.ts',
      './c.ts',
      '../d.ts',
      '../e.ts',
      './f.ts',
      './g.ts',
    ])
    assert.ok((await sources()).flatMap(arrows).length > 50)
  })

  it('point one way', async () => {
    const wrong = (await sources())
      .flatMap(arrows)
      .filter(({ from, to }) => ARROWS[from]?.includes(to) !== true)
      .map(({ line }) => line)
    assert.deepEqual(wrong, [])
  })

  it('stay inside src/, and name files with their extension', async () => {
    const wrong = (await sources()).flatMap(({ path, text }) =>
      specifiers(text)
        .filter((specifier) => specifier.startsWith('.'))
        .filter((specifier) => !specifier.endsWith('.ts') || join(dirname(path), specifier).startsWith('..'))
        .map((specifier) => `${path}: ${specifier}`),
    )
    assert.deepEqual(wrong, [])
  })

  it('of the table go downwards', () => {
    const order = Object.keys(ARROWS)
    for (const [from, targets] of Object.entries(ARROWS)) {
      for (const to of targets) {
        assert.ok(to === 'torrent' || order.includes(to), `${to} is no part`)
        assert.ok(order.indexOf(to) > order.indexOf(from), `${from} -> ${to}`)
      }
    }
  })
})

describe('the files of src/', () => {
  it('lie in a part that the table knows', async () => {
    const unknown = (await sources()).filter(({ path }) => !(partOf(path) in ARROWS))
    assert.deepEqual(
      unknown.map(({ path }) => path),
      [],
    )
  })

  it('are named for what they hold: no utils, helpers or managers', async () => {
    const vague = /(^|-)(utils?|helpers?|managers?|misc|common)(-|\.ts$|$)/
    const wrong = (await sources()).filter(({ path }) => path.split('/').some((name) => vague.test(name)))
    assert.deepEqual(
      wrong.map(({ path }) => path),
      [],
    )
    assert.match('peer-manager.ts', vague)
    assert.match('utils', vague)
    assert.doesNotMatch('manifest.ts', vague)
  })

  it('re-export nothing, but for src/index.ts', async () => {
    const wrong = (await sources()).filter(
      ({ path, text }) =>
        path !== 'index.ts' &&
        (basename(path) === 'index.ts' || /^export (type )?[{*].* from /m.test(code(text))),
    )
    assert.deepEqual(
      wrong.map(({ path }) => path),
      [],
    )
  })
})

describe('the scheduler and the codecs', () => {
  const PURE = ['swarm/', 'core/', 'exchange/peer-wire/', 'torrent/']
  /** What binds the connection to libp2p, and to TCP sockets. */
  const BOUND = [
    ...['peer-wire.ts', 'session.ts', 'trade.ts', 'turns.ts'].map((name) => `exchange/peer-wire/${name}`),
    ...['session.ts', 'shaking.ts', 'tcp-peers.ts', 'trade.ts'].map((name) => `torrent/tcp/${name}`),
  ]
  const WORLD =
    /\bDate\.now\b|\bnew Date\b|\bMath\.random\b|\bperformance\.now\b|\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b|\bprocess\.(hrtime|nextTick|env)\b/

  it('know no clock and no chance but what they are given', async () => {
    const impure = (await sources())
      .filter(({ path }) => PURE.some((part) => path.startsWith(part)) && !BOUND.includes(path))
      .filter(({ text }) => WORLD.test(code(text)))
    assert.deepEqual(
      impure.map(({ path }) => path),
      [],
    )
    assert.match('const now = Date.now()', WORLD)
  })

  it('know no files, sockets or CIDs', async () => {
    const imports = (await sources())
      .filter(({ path }) => path.startsWith('swarm/'))
      .flatMap(({ path, text }) => specifiers(text).map((specifier) => ({ path, specifier })))
      .filter(({ specifier }) => !specifier.startsWith('.') || specifier.endsWith('/core/cid.ts'))
    assert.deepEqual(imports, [])
  })

  it('wait for nobody: no promise in src/swarm', async () => {
    const waiting = (await sources()).filter(
      ({ path, text }) => path.startsWith('swarm/') && /\basync\b|\bawait\b|\bPromise\b/.test(code(text)),
    )
    assert.deepEqual(
      waiting.map(({ path }) => path),
      [],
    )
  })
})
