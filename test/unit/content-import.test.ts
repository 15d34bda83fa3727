import assert from 'node:assert/strict'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { chmod, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { CID } from 'multiformats/cid'
import { type ImportProgress, importPath } from '../../src/content/import.ts'
import { verifyBlock } from '../../src/content/verify.ts'
import { Blocks, rebuilt, walked } from './content-dags.ts'
import { seededBytes, type TreeSpec, temporary, writeTree } from './content-trees.ts'

const MIB = 2 ** 20
const nowhere = { putNode: async () => {} }
const bytes = (size: number, seed: string): Buffer => Buffer.concat([...seededBytes(size, seed)])

const tree: TreeSpec = {
  '.hidden': Buffer.from('h'),
  'large file': bytes(9 * MIB + 5, 'large'),
  'other large file': bytes(5 * MIB, 'other'),
  small: { Grüße: Buffer.from('g'), empty: Buffer.from(''), 'to large': '->../large file' },
  none: {},
}

describe('import', () => {
  for (const profile of ['unixfs-v1-2025', 'unixfs-v0-2015'] as const) {
    test(`${profile}: the sink gets every node and, if it wants them, every leaf, and may keep them`, async (context) => {
      const path = join(await temporary(context), 'tree')
      writeTree(path, tree)
      const [nodes, leaves] = [new Blocks(), new Blocks()]
      const kept: [CID, Uint8Array][] = []
      const putLeaf = async (cid: CID, block: Uint8Array): Promise<void> => {
        kept.push([cid, block])
        await leaves.put(cid, block)
      }
      const { root } = await importPath(path, { profile, sink: { putNode: nodes.put, putLeaf } })
      assert.ok(kept.every(([cid, block]) => verifyBlock(cid, block)))
      const result = await walked(root, { fetchNode: nodes.fetch })
      assert.deepEqual(
        new Set(nodes.cids.map(String)),
        new Set(nodes.asked.map((cid) => cid.toV1().toString())),
      )
      for (const cid of nodes.cids) await leaves.put(cid, nodes.block(cid))
      assert.deepEqual(rebuilt(result, leaves), flattened(tree))
      const without = new Blocks()
      assert.deepEqual((await importPath(path, { profile, sink: { putNode: without.put } })).root, root)
      assert.deepEqual(new Set(without.cids.map(String)), new Set(nodes.cids.map(String)))
    })
  }

  test('tells what it imported, and follows a symlink that is named itself', async (context) => {
    const directory = await temporary(context)
    writeTree(join(directory, 'tree'), { file: Buffer.from('f'), link: '->file' })
    symlinkSync('tree/file', join(directory, 'to file'))
    symlinkSync('tree', join(directory, 'to tree'))
    const kinds: Record<string, string> = {}
    const roots: Record<string, string> = {}
    for (const name of ['tree', 'tree/file', 'tree/link', 'to file', 'to tree']) {
      const { kind, root } = await importPath(join(directory, name), { sink: nowhere })
      kinds[name] = kind
      roots[name] = root.toString()
    }
    assert.deepEqual(kinds, {
      tree: 'directory',
      'tree/file': 'file',
      'tree/link': 'file',
      'to file': 'file',
      'to tree': 'directory',
    })
    assert.deepEqual(
      [roots['to file'], roots['tree/link'], roots['to tree']],
      [roots['tree/file'], roots['tree/file'], roots.tree],
    )
  })

  test('reports progress up to the whole', async (context) => {
    const path = join(await temporary(context), 'tree')
    writeTree(path, tree)
    const reports: ImportProgress[] = []
    await importPath(path, { sink: nowhere, onProgress: (report) => reports.push(report) })
    const total = 14 * MIB + 5 + 2
    assert.deepEqual(reports.at(-1), { done: total, total, files: 5 })
    assert.deepEqual(
      reports.map(({ done }) => done),
      reports.map(({ done }) => done).toSorted((left, right) => left - right),
    )
  })

  test('stops when told to', async (context) => {
    const path = join(await temporary(context), 'file')
    writeFileSync(path, bytes(3 * MIB, 'stop'))
    const stop = new AbortController()
    const putLeaf = async (): Promise<void> => stop.abort()
    await assert.rejects(importPath(path, { sink: { ...nowhere, putLeaf }, signal: stop.signal }), {
      code: 'INTERRUPTED',
    })
    await assert.rejects(importPath(path, { sink: nowhere, signal: stop.signal }), { code: 'INTERRUPTED' })
  })

  test('passes on what the sink throws, and calls it no more afterwards', async (context) => {
    const path = join(await temporary(context), 'tree')
    writeTree(
      path,
      Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`${at}`, { file: Buffer.from(`${at}`) }])),
    )
    let over = false
    let late = 0
    const full = new Error('disk full')
    const putNode = async (): Promise<void> => {
      if (over) late++
      throw full
    }
    await assert.rejects(importPath(path, { sink: { putNode } }), full)
    over = true
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(late, 0)
  })
})

/** What `rebuilt` makes of the tree. */
function flattened(spec: TreeSpec, path = ''): Record<string, string> {
  const all: Record<string, string> = { [path]: 'directory' }
  for (const [name, value] of Object.entries(spec)) {
    const below = path === '' ? name : `${path}/${name}`
    if (value instanceof Uint8Array) all[below] = `file ${Buffer.from(value).toString('latin1')}`
    else if (typeof value === 'string') all[below] = `-> ${value.slice(2)}`
    else Object.assign(all, flattened(value, below))
  }
  return all
}

describe('import refuses', () => {
  test('what is not there', async (context) => {
    const path = join(await temporary(context), 'missing')
    await assert.rejects(importPath(path, { sink: nowhere }), {
      code: 'NOT_FOUND',
      message: new RegExp(path),
    })
  })

  test('what may not be read, naming it', async (context) => {
    const directory = await temporary(context)
    const secret = join(directory, 'tree', 'secret')
    writeTree(join(directory, 'tree'), { secret: Buffer.from('s') })
    await chmod(directory, 0o755)
    await chmod(secret, 0)
    // root may read anything, so it steps down
    const root = process.geteuid?.() === 0
    if (root) process.seteuid?.(65534)
    try {
      await assert.rejects(importPath(join(directory, 'tree'), { sink: nowhere }), {
        code: 'UNREADABLE',
        message: new RegExp(secret),
      })
    } finally {
      if (root) process.seteuid?.(0)
    }
  })

  for (const [what, change] of [
    ['grows', (path: string) => appendFileSync(path, 'x')],
    ['is touched', (path: string) => utimesSync(path, 1, 1)],
    ['is cut off', (path: string) => writeFileSync(path, '')],
  ] as const) {
    test(`a file that ${what} while it is read`, async (context) => {
      const path = join(await temporary(context), 'tree')
      writeTree(path, { file: bytes(17 * MIB, 'changing') })
      let leaves = 0
      const putLeaf = async (): Promise<void> => {
        if (leaves++ === 0) change(join(path, 'file'))
      }
      await assert.rejects(importPath(path, { sink: { ...nowhere, putLeaf } }), {
        code: 'SOURCE_CHANGED',
        message: new RegExp(join(path, 'file')),
      })
    })
  }

  test('a file that vanishes after it was listed', async (context) => {
    const path = join(await temporary(context), 'tree')
    writeTree(path, {
      a: bytes(MIB, 'a'),
      ...Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`b${at}`, Buffer.from('b')])),
    })
    const putLeaf = (): Promise<void> => rm(join(path, 'b9'), { force: true })
    await assert.rejects(importPath(path, { sink: { ...nowhere, putLeaf } }), {
      code: 'SOURCE_CHANGED',
      message: /b9/,
    })
  })

  test('sockets', async (context) => {
    const directory = await temporary(context)
    const server = createServer().listen(join(directory, 'socket'))
    await once(server, 'listening')
    context.after(() => server.close())
    await assert.rejects(importPath(directory, { sink: nowhere }), {
      code: 'UNSUPPORTED',
      message: /socket is a socket, pipe or device/,
    })
    await assert.rejects(importPath(join(directory, 'socket'), { sink: nowhere }), { code: 'UNSUPPORTED' })
    await assert.rejects(importPath('/dev/null', { sink: nowhere }), { code: 'UNSUPPORTED' })
  })

  test('names that no receiver could write', async (context) => {
    const directory = await temporary(context)
    for (const [at, name] of [
      Buffer.from([0x66, 0xff]),
      Buffer.from('a\\b'),
      Buffer.from('line\n'),
    ].entries()) {
      const path = join(directory, `${at}`)
      mkdirSync(path)
      writeFileSync(Buffer.concat([Buffer.from(`${path}/`), name]), 'x')
      await assert.rejects(importPath(path, { sink: nowhere }), {
        code: 'UNSUPPORTED',
        message: /^the name of /,
      })
    }
  })

  test('symlinks that no receiver could follow', async (context) => {
    const directory = await temporary(context)
    for (const [at, target] of ['/etc/passwd', '../outside', 'a/../../b'].entries()) {
      const path = join(directory, `${at}`)
      writeTree(path, { link: `->${target}` })
      await assert.rejects(importPath(path, { sink: nowhere }), { code: 'UNSUPPORTED', message: /link -> / })
    }
  })

  test('trees deeper than a walk goes', async (context) => {
    const path = await temporary(context)
    mkdirSync(join(path, ...Array.from({ length: 65 }, () => 'd')), { recursive: true })
    await assert.rejects(importPath(path, { sink: nowhere }), {
      code: 'UNSUPPORTED',
      message: /nested more than 64/,
    })
  })

  test('not what the walk takes: 64 levels', async (context) => {
    const path = await temporary(context)
    mkdirSync(join(path, ...Array.from({ length: 64 }, () => 'd')), { recursive: true })
    const blocks = new Blocks()
    const { root } = await importPath(path, { sink: { putNode: blocks.put } })
    assert.equal((await walked(root, { fetchNode: blocks.fetch })).manifest.entries.length, 65)
  })
})
