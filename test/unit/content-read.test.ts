import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { CID } from 'multiformats/cid'
import { listDirectory } from '../../src/content/directory.ts'
import { readFile } from '../../src/content/file.ts'
import { slotPath } from '../../src/content/hamt.ts'
import { importPath } from '../../src/content/import.ts'
import { resolvePath } from '../../src/content/path.ts'
import { RAW } from '../../src/core/cid.ts'
import { Blocks, identity, TYPE } from './content-dags.ts'
import { seededNames, temporary, writeTree } from './content-trees.ts'

/** "aa" + "BBB" + node("c:" + "DDDD") + identity "E", with a root that has data of its own. */
function layered(blocks: Blocks): { root: CID; parts: Record<string, CID> } {
  const parts = {
    raw: blocks.raw('BBB'),
    leaf: blocks.raw('DDDD'),
    wrapped: blocks.file({ data: 'FF' }),
  }
  const inner = blocks.file({ data: 'c:', links: [{ cid: parts.leaf, size: 4 }] })
  const links = [
    { cid: parts.raw, size: 3 },
    { cid: inner, size: 6 },
    { cid: identity(RAW, 'E'), size: 1 },
    { cid: blocks.raw(''), size: 0 },
    { cid: parts.wrapped, size: 2 },
  ]
  return { root: blocks.file({ data: 'aa', links }), parts: { ...parts, inner } }
}
const WHOLE = 'aaBBBc:DDDDEFF'

async function read(root: CID, options: Parameters<typeof readFile>[1]): Promise<string> {
  return Buffer.concat(await Array.fromAsync(readFile(root, options))).toString()
}

describe('reading a file', () => {
  test('gives its bytes in order', async () => {
    const blocks = new Blocks()
    assert.equal(await read(layered(blocks).root, { getBlock: blocks.fetch }), WHOLE)
    assert.equal(await read(blocks.raw('raw'), { getBlock: blocks.fetch }), 'raw')
    assert.equal(await read(identity(RAW, 'id'), { getBlock: blocks.fetch }), 'id')
    assert.equal(await read(blocks.file({}), { getBlock: blocks.fetch }), '')
  })

  test('gives every range', async () => {
    const blocks = new Blocks()
    const { root } = layered(blocks)
    for (let first = 0; first <= WHOLE.length + 1; first++) {
      assert.equal(await read(root, { getBlock: blocks.fetch, range: { first } }), WHOLE.slice(first))
      for (let last = first; last <= WHOLE.length + 1; last++) {
        assert.equal(
          await read(root, { getBlock: blocks.fetch, range: { first, last } }),
          WHOLE.slice(first, last + 1),
          `${first}-${last}`,
        )
      }
    }
  })

  test('does not fetch what lies outside of the range', async () => {
    const blocks = new Blocks()
    const { root, parts } = layered(blocks)
    await read(root, { getBlock: blocks.fetch, range: { first: 3, last: 4 } })
    assert.deepEqual(blocks.asked.map(String), [root, parts.raw].map(String))
  })

  test('fetches ahead, but not without bound', async () => {
    const blocks = new Blocks()
    const links = Array.from({ length: 40 }, (_, at) => ({
      cid: blocks.raw(`block ${at}`.padEnd(8)),
      size: 8,
    }))
    const root = blocks.file({ links })
    const reading = readFile(root, { getBlock: blocks.fetch, readAhead: 5 })
    await reading.next()
    assert.equal(blocks.asked.length, 1 + 1 + 5)
    await reading.return(undefined)
    assert.equal(blocks.asked.length, 1 + 1 + 5)
  })

  for (const [what, make, code] of [
    ['a directory', (blocks: Blocks) => blocks.directory({}), 'BAD_PATH'],
    ['a symlink', (blocks: Blocks) => blocks.symlink('x'), 'BAD_PATH'],
    [
      'a leaf of another length',
      (blocks: Blocks) => blocks.file({ links: [{ cid: blocks.raw('abc'), size: 2 }] }),
      'BAD_CONTENT',
    ],
    [
      'a node of another length',
      (blocks: Blocks) => blocks.file({ links: [{ cid: blocks.file({ data: 'abc' }), size: 4 }] }),
      'BAD_CONTENT',
    ],
  ] as const) {
    test(`refuses ${what}`, async () => {
      const blocks = new Blocks()
      await assert.rejects(read(make(blocks), { getBlock: blocks.fetch }), { code })
    })
  }

  test('stops when told to', async () => {
    const stop = new AbortController()
    const reading = read(new Blocks().raw('x'), {
      getBlock: () => new Promise(() => {}),
      signal: stop.signal,
    })
    stop.abort()
    await assert.rejects(reading, { code: 'INTERRUPTED' })
  })
})

/** A directory that the importer shards two levels deep. */
async function sharded(context: TestContext, blocks: Blocks): Promise<{ root: CID; names: string[] }> {
  const names = seededNames(1200, 200, 200, 'sharded')
  const path = join(await temporary(context), 'tree')
  writeTree(path, Object.fromEntries(names.map((name) => [name, Buffer.from(name)])))
  const { root } = await importPath(path, { sink: { putNode: blocks.put } })
  return { root, names }
}

describe('listing', () => {
  const listed = async (cid: CID, blocks: Blocks): Promise<string[]> =>
    (await Array.fromAsync(listDirectory(cid, blocks.fetch))).map(
      ({ name, kind, size }) => `${name}: ${kind} ${size}`,
    )

  test('tells what each entry is', async () => {
    const blocks = new Blocks()
    const root = blocks.directory({
      a: blocks.raw('12345'),
      b: { cid: blocks.raw('unsized') },
      c: blocks.file({ data: 'abc' }),
      d: blocks.directory({}),
      e: blocks.symlink('a'),
      f: identity(RAW, 'id'),
      g: blocks.node({ type: TYPE.shard, hashType: 0x22, fanout: 256 }),
    })
    const expected = [
      'a: file 5',
      'b: file 7',
      'c: file 3',
      'd: directory undefined',
      'e: symlink undefined',
      'f: file 2',
      'g: directory undefined',
    ]
    assert.deepEqual(await listed(root, blocks), expected)
  })

  test('of a file or a symlink is itself', async () => {
    const blocks = new Blocks()
    assert.deepEqual(await listed(blocks.raw('12345'), blocks), [': file 5'])
    assert.deepEqual(await listed(blocks.file({ data: 'abc' }), blocks), [': file 3'])
    assert.deepEqual(await listed(blocks.symlink('x'), blocks), [': symlink undefined'])
  })

  test('of a sharded directory gives every name once', async (context) => {
    const blocks = new Blocks()
    const { root, names } = await sharded(context, blocks)
    assert.deepEqual(
      (await listed(root, blocks)).toSorted(),
      names.map((name) => `${name}: file 200`).toSorted(),
    )
  })

  test('of shards that double is refused', async () => {
    const blocks = new Blocks()
    let root = blocks.node({ type: TYPE.shard, hashType: 0x22, fanout: 256 })
    for (let level = 0; level < 60; level++) {
      const links = [
        { name: '00', cid: root },
        { name: '01', cid: root },
      ]
      root = blocks.node({ type: TYPE.shard, hashType: 0x22, fanout: 256 }, links)
    }
    await assert.rejects(Array.fromAsync(listDirectory(root, blocks.fetch)), {
      code: 'BAD_CONTENT',
      message: /twice/,
    })
  })
})

describe('a path', () => {
  test('resolves through directories and symlinks', async () => {
    const blocks = new Blocks()
    const file = blocks.raw('file')
    const below = blocks.directory({
      file,
      up: blocks.symlink('../top'),
      self: blocks.symlink('./file'),
      here: blocks.symlink('.'),
    })
    const root = blocks.directory({
      below,
      top: blocks.raw('top'),
      to: blocks.symlink('below'),
      chain: blocks.symlink('to/here/self'),
    })
    const top = blocks.raw('top')
    for (const [path, expected] of [
      ['', root],
      ['below', below],
      ['below/file', file],
      ['below//./file', file],
      ['below/../top', top],
      ['below/up', top],
      ['to', below],
      ['to/up', top],
      ['to/here/here/self', file],
      ['chain', file],
    ] as const) {
      assert.equal(
        (await resolvePath(root, path.split('/'), blocks.fetch)).toString(),
        expected.toString(),
        path,
      )
    }
    assert.equal(
      await resolvePath(root, [], () => Promise.reject(new Error('nothing is to be fetched'))),
      root,
    )
  })

  for (const [path, code, message] of [
    ['missing', 'NOT_FOUND', /^"missing" is not in/],
    ['dir/missing', 'NOT_FOUND', /^"missing" is not in/],
    ['file/x', 'NOT_FOUND', /^"x" is not in .* not a directory/],
    ['..', 'BAD_CONTENT', /out of its root/],
    ['out', 'BAD_CONTENT', /"out" -> "..\/x" points out of its root/],
    ['absolute', 'BAD_CONTENT', /absolute/],
    ['loop', 'BAD_CONTENT', /too many/],
    ['broken/x', 'BAD_CONTENT', /shard/],
  ] as const) {
    test(`${path} is refused`, async () => {
      const blocks = new Blocks()
      const root = blocks.directory({
        file: blocks.raw('file'),
        dir: blocks.directory({}),
        out: blocks.symlink('../x'),
        absolute: blocks.symlink('/x'),
        loop: blocks.symlink('loop'),
        broken: blocks.node({ type: TYPE.shard, hashType: 0x22, fanout: 256 }, [
          { name: (await slotPath('x')).next(256) ?? '', cid: blocks.file({ data: 'x' }) },
        ]),
      })
      await assert.rejects(resolvePath(root, path.split('/'), blocks.fetch), { code, message })
    })
  }

  test('into a sharded directory fetches only the shards on its way', async (context) => {
    const blocks = new Blocks()
    const { root, names } = await sharded(context, blocks)
    for (const name of names.slice(0, 50)) {
      blocks.asked.length = 0
      const cid = await resolvePath(root, [name], blocks.fetch)
      assert.equal(cid.toString(), new Blocks().raw(name).toString())
      assert.ok(blocks.asked.length <= 3, `${blocks.asked.length} nodes were fetched`)
    }
    await assert.rejects(resolvePath(root, ['not there'], blocks.fetch), { code: 'NOT_FOUND' })
  })
})
