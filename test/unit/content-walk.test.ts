import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CID } from 'multiformats/cid'
import type { Budgets } from '../../src/content/budgets.ts'
import type { WalkEvent } from '../../src/content/walk.ts'
import { walkManifest } from '../../src/content/walk.ts'
import { DAG_PB, RAW } from '../../src/core/cid.ts'
import { ShareError } from '../../src/core/errors.ts'
import { Blocks, identity, nodeBytes, rebuilt, type TestLink, TYPE, walked } from './content-dags.ts'

/** One line an event: enough to read a walk by eye. */
function told(event: WalkEvent): string {
  switch (event.type) {
    case 'entries':
      return 'entries'
    case 'pieces':
      return `pieces ${event.from}+${event.count}`
    case 'places':
      return `places ${event.pieces}`
    case 'inline':
      return `inline ${event.inline.place.entry}@${event.inline.place.offset} ${Buffer.from(event.inline.data)}`
  }
}

interface Case {
  readonly what: string
  readonly make: (blocks: Blocks) => CID
  readonly events: readonly string[]
  readonly tree: Readonly<Record<string, string>>
  /** Pieces as `size/blockSize at entry@offset,…`. */
  readonly pieces: readonly string[]
}

const leaf = (blocks: Blocks, content: string): TestLink & { size: number } => ({
  cid: blocks.raw(content),
  size: content.length,
  tsize: content.length,
})
const wrapped = (blocks: Blocks, content: string): TestLink & { size: number } => {
  const cid = blocks.file({ data: content })
  return { cid, size: content.length, tsize: blocks.size(cid) }
}

const cases: readonly Case[] = [
  {
    what: 'a raw root is one piece',
    make: (blocks) => blocks.raw('hello'),
    events: ['entries', 'pieces 0+1'],
    tree: { '': 'file hello' },
    pieces: ['5/5 at 0@0'],
  },
  {
    what: 'an empty raw root has no piece and is not asked for',
    make: (blocks) => blocks.raw(''),
    events: ['entries'],
    tree: { '': 'file ' },
    pieces: [],
  },
  {
    what: 'an identity root is inline',
    make: () => identity(RAW, 'hi'),
    events: ['entries', 'inline 0@0 hi'],
    tree: { '': 'file hi' },
    pieces: [],
  },
  {
    what: 'a dag-pb file without links is inline',
    make: (blocks) => blocks.file({ data: 'small' }),
    events: ['entries', 'inline 0@0 small'],
    tree: { '': 'file small' },
    pieces: [],
  },
  {
    what: 'raw leaves, one of them twice',
    make: (blocks) =>
      blocks.file({ links: [leaf(blocks, 'aaaa'), leaf(blocks, 'bbb'), leaf(blocks, 'aaaa')] }),
    events: ['entries', 'pieces 0+2'],
    tree: { '': 'file aaaabbbaaaa' },
    pieces: ['4/4 at 0@0,0@7', '3/3 at 0@4'],
  },
  {
    what: 'dag-pb leaves are pieces when Tsize says so',
    make: (blocks) => blocks.file({ links: [wrapped(blocks, 'aaaa'), wrapped(blocks, 'bbb')] }),
    events: ['entries', 'pieces 0+2'],
    tree: { '': 'file aaaabbb' },
    pieces: ['4/12 at 0@0', '3/11 at 0@4'],
  },
  {
    what: 'dag-pb leaves are nodes where Tsize is absent, too small or too large',
    make: (blocks) =>
      blocks.file({
        links: [
          { ...wrapped(blocks, 'absent'), tsize: undefined },
          { ...wrapped(blocks, 'small'), tsize: 4 },
          { ...wrapped(blocks, 'large'), tsize: 5 + 33 },
        ],
      }),
    events: ['entries', 'inline 0@0 absent', 'inline 0@6 small', 'inline 0@11 large'],
    tree: { '': 'file absentsmalllarge' },
    pieces: [],
  },
  {
    what: 'inner data comes before the bytes of the links',
    make: (blocks) => {
      const inner = blocks.file({ data: 'in:', links: [leaf(blocks, 'LEAF')] })
      return blocks.file({
        data: 'top:',
        links: [leaf(blocks, 'one'), { cid: inner, size: 7, tsize: 400 }, leaf(blocks, 'two')],
      })
    },
    events: ['entries', 'inline 0@0 top:', 'pieces 0+1', 'inline 0@7 in:', 'pieces 1+2'],
    tree: { '': 'file top:onein:LEAFtwo' },
    pieces: ['3/3 at 0@4', '4/4 at 0@10', '3/3 at 0@14'],
  },
  {
    what: 'identity and empty leaves are never asked for',
    make: (blocks) =>
      blocks.file({
        links: [
          { cid: identity(RAW, 'raw'), size: 3, tsize: 3 },
          leaf(blocks, ''),
          wrapped(blocks, ''),
          {
            cid: identity(DAG_PB, nodeBytes({ type: TYPE.file, data: Buffer.from('pb'), fileSize: 2 })),
            size: 2,
            tsize: 8,
          },
          leaf(blocks, 'end'),
        ],
      }),
    events: ['entries', 'inline 0@0 raw', 'inline 0@3 pb', 'pieces 0+1'],
    tree: { '': 'file rawpbend' },
    pieces: ['3/3 at 0@5'],
  },
  {
    what: 'UnixFS raw nodes are file nodes, and file sizes may be left out',
    make: (blocks) => {
      const cid = blocks.node({ type: TYPE.raw, data: Buffer.from('old') })
      return blocks.node({ type: TYPE.file, blockSizes: [3] }, [{ cid, tsize: 9 }])
    },
    events: ['entries', 'pieces 0+1'],
    tree: { '': 'file old' },
    pieces: ['3/9 at 0@0'],
  },
  {
    what: 'a repeat of a piece that was told already is told',
    make: (blocks) => {
      const inner = blocks.file({ data: '|', links: [leaf(blocks, 'same')] })
      return blocks.file({ links: [leaf(blocks, 'same'), { cid: inner, size: 5 }] })
    },
    events: ['entries', 'pieces 0+1', 'inline 0@4 |', 'places 0'],
    tree: { '': 'file same|same' },
    pieces: ['4/4 at 0@0,0@5'],
  },
  {
    what: 'a directory in the order of its links, sizes from Tsize or from the block',
    make: (blocks) =>
      blocks.directory({
        a: blocks.raw('A'),
        b: { cid: blocks.raw('unsized') },
        c: blocks.file({ data: 'inline' }),
        d: blocks.directory({ link: blocks.symlink('../a'), none: blocks.directory({}) }),
        e: blocks.raw(''),
      }),
    events: ['entries', 'pieces 0+2', 'inline 3@0 inline'],
    tree: {
      '': 'directory',
      a: 'file A',
      b: 'file unsized',
      c: 'file inline',
      d: 'directory',
      'd/link': '-> ../a',
      'd/none': 'directory',
      e: 'file ',
    },
    pieces: ['1/1 at 1@0', '7/7 at 2@0'],
  },
  {
    what: 'shards are looked through',
    make: (blocks) => {
      const shard = (links: Record<string, CID>): CID =>
        blocks.node(
          { type: TYPE.shard, hashType: 0x22, fanout: 256 },
          Object.entries(links).map(([name, cid]) => ({ name, cid, tsize: blocks.size(cid) })),
        )
      return shard({
        '0Aten': blocks.raw('10'),
        FF: shard({ '00x': blocks.raw('x'), '01y': blocks.symlink('ten') }),
      })
    },
    events: ['entries', 'pieces 0+2'],
    tree: { '': 'directory', ten: 'file 10', x: 'file x', y: '-> ten' },
    pieces: ['2/2 at 1@0', '1/1 at 2@0'],
  },
]

describe('the walk', () => {
  for (const { what, make, events, tree, pieces } of cases) {
    test(what, async () => {
      const blocks = new Blocks()
      const result = await walked(make(blocks), { fetchNode: blocks.fetch })
      assert.deepEqual(result.events.map(told), events)
      assert.deepEqual(rebuilt(result, blocks), tree)
      const table = result.manifest.pieces
      const found = Array.from({ length: table.length }, (_, at) => {
        const places = table.places(at).map(({ entry, offset }) => `${entry}@${offset}`)
        return `${table.size(at)}/${table.blockSize(at)} at ${places}`
      })
      assert.deepEqual(found, pieces)
      assert.equal(
        result.manifest.size,
        result.manifest.entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.size : 0), 0),
      )
    })
  }

  test('asks for DAG nodes alone, and of leaves only for those of unknown size', async () => {
    const blocks = new Blocks()
    const unsized = blocks.raw('unsized')
    const file = blocks.file({
      links: [leaf(blocks, 'one'), wrapped(blocks, 'two'), { cid: identity(RAW, 'id'), size: 2 }],
    })
    const root = blocks.directory({
      unsized: { cid: unsized },
      sized: blocks.raw('sized'),
      empty: { cid: blocks.raw('') },
      file,
    })
    await walked(root, { fetchNode: blocks.fetch })
    assert.deepEqual(new Set(blocks.asked.map(String)), new Set([root, unsized, file].map(String)))
  })

  test('a CIDv0 root is the same as its CIDv1', async () => {
    const blocks = new Blocks()
    const root = blocks.file({ links: [wrapped(blocks, 'aaaa'), wrapped(blocks, 'bbb')] })
    const [one, two] = [
      await walked(root, { fetchNode: blocks.fetch }),
      await walked(root.toV0(), { fetchNode: blocks.fetch }),
    ]
    assert.deepEqual(two.events, one.events)
    assert.deepEqual(two.manifest.pieces, one.manifest.pieces)
  })

  test('a node that arrives wrong fails the walk with its own error', async () => {
    const failure = new ShareError('NOBODY_HAS_IT', 'nobody', 'wait')
    const { events } = walkManifest(new Blocks().raw('x'), { fetchNode: () => Promise.reject(failure) })
    await assert.rejects(Array.fromAsync(events), failure)
  })

  test('stops when told to, also while a node never arrives', async () => {
    const stop = new AbortController()
    const { events } = walkManifest(new Blocks().raw('x'), {
      fetchNode: () => new Promise(() => {}),
      signal: stop.signal,
    })
    const walk = Array.fromAsync(events)
    stop.abort()
    await assert.rejects(walk, { code: 'INTERRUPTED' })
  })
})

interface Hostile {
  readonly what: string
  readonly make: (blocks: Blocks) => CID
  readonly message: RegExp
  readonly budgets?: Partial<Budgets>
}

const file = (blocks: Blocks, link: TestLink & { size: number }): CID => blocks.file({ links: [link] })
const shardOf = (
  blocks: Blocks,
  name: string,
  cid: CID,
  fields: { hashType?: number; fanout?: number } = {},
): CID => blocks.node({ type: TYPE.shard, hashType: 0x22, fanout: 256, ...fields }, [{ name, cid, tsize: 1 }])
/** `levels` nodes, each with two links to the one below. */
const doubled = (levels: number, bottom: CID, above: (below: CID, level: number) => CID): CID =>
  Array.from({ length: levels }).reduce<CID>((below, _, level) => above(below, level), bottom)

const hostile: readonly Hostile[] = [
  { what: 'not dag-pb', make: (blocks) => identityOf(blocks, [0xff, 0xff]), message: /cannot be used/ },
  {
    what: 'dag-pb without UnixFS',
    make: (blocks) => blocks.node({ type: 77 }),
    message: /no known UnixFS type/,
  },
  { what: 'metadata', make: (blocks) => blocks.node({ type: TYPE.metadata }), message: /metadata/ },
  {
    what: 'sizes do not match the links',
    make: (blocks) => blocks.file({ links: [leaf(blocks, 'a')], blockSizes: [1, 2] }),
    message: /1 links and 2 block sizes/,
  },
  {
    what: 'no sizes',
    make: (blocks) => blocks.file({ links: [leaf(blocks, 'a')], blockSizes: [] }),
    message: /1 links and 0 block sizes/,
  },
  {
    what: 'a sum that is not the file size',
    make: (blocks) => blocks.file({ data: 'abc', fileSize: 4 }),
    message: /declares 4 bytes and holds 3/,
  },
  {
    what: 'a raw leaf with two sizes',
    make: (blocks) => file(blocks, { ...leaf(blocks, 'abc'), tsize: 4 }),
    message: /two sizes, 4 and 3/,
  },
  {
    what: 'an empty leaf that is not',
    make: (blocks) => file(blocks, { cid: blocks.raw('x'), size: 0 }),
    message: /not empty/,
  },
  {
    what: 'an identity leaf of another length',
    make: (blocks) => file(blocks, { cid: identity(RAW, 'abc'), size: 2 }),
    message: /has 3 bytes, not the 2/,
  },
  {
    what: 'one leaf declared with two sizes',
    make: (blocks) => {
      const { cid } = wrapped(blocks, 'abcd')
      return blocks.file({
        links: [
          { cid, size: 4, tsize: 12 },
          { cid, size: 5, tsize: 12 },
        ],
      })
    },
    message: /declared with two sizes/,
  },
  {
    what: 'a leaf above any block',
    make: (blocks) => file(blocks, { cid: blocks.raw('x'), size: 2 ** 21 + 1 }),
    message: /more than any block/,
  },
  {
    what: 'a wrapped leaf above any block',
    make: (blocks) => file(blocks, { cid: blocks.file({}), size: 2 ** 21, tsize: 2 ** 21 + 9 }),
    message: /more than any block/,
  },
  {
    what: 'a child of another size',
    make: (blocks) => file(blocks, { cid: blocks.file({ data: 'abc' }), size: 2 }),
    message: /holds 3 bytes, not the 2/,
  },
  {
    what: 'a directory inside a file',
    make: (blocks) => file(blocks, { cid: blocks.directory({}), size: 2 }),
    message: /directory inside a file/,
  },
  {
    what: 'a codec that is no UnixFS',
    make: (blocks) => blocks.directory({ a: { cid: identity(0x71, 'x') } }),
    message: /codec 0x71/,
  },
  {
    what: 'an overlong identity',
    make: (blocks) => blocks.directory({ a: { cid: identity(RAW, 'x'.repeat(129)) } }),
    message: /identity CID over 128/,
  },
  {
    what: 'a declared size beyond all disks',
    make: (blocks) => blocks.file({ links: [{ cid: blocks.file({}), size: 2 ** 50 + 1 }] }),
    message: /declares/,
  },
  {
    what: 'many files that declare too much together',
    make: (blocks) =>
      blocks.directory(
        Object.fromEntries(['a', 'b', 'c'].map((name) => [name, { cid: blocks.raw(name), tsize: 2 ** 49 }])),
      ),
    message: /declares more than/,
  },
  {
    what: 'a name that climbs',
    make: (blocks) => blocks.directory({ '..': blocks.raw('x') }),
    message: /would leave its directory/,
  },
  {
    what: 'a name with a slash',
    make: (blocks) => blocks.directory({ 'a/b': blocks.raw('x') }),
    message: /would leave its directory/,
  },
  { what: 'an empty name', make: (blocks) => blocks.directory({ '': blocks.raw('x') }), message: /is empty/ },
  {
    what: 'a name twice',
    make: (blocks) =>
      blocks.node(
        { type: TYPE.directory },
        [1, 2].map((tsize) => ({ name: 'a', cid: blocks.raw('x'), tsize })),
      ),
    message: /stands there twice/,
  },
  {
    what: 'a name twice, in two shards',
    make: (blocks) =>
      blocks.node({ type: TYPE.shard, hashType: 0x22, fanout: 256 }, [
        { name: '00a', cid: blocks.raw('x'), tsize: 1 },
        { name: '01', cid: shardOf(blocks, '00a', blocks.raw('y')) },
      ]),
    message: /stands there twice/,
  },
  {
    what: 'a symlink out',
    make: (blocks) => blocks.directory({ a: blocks.symlink('../x') }),
    message: /points out of its root/,
  },
  {
    what: 'a root that is a symlink',
    make: (blocks) => blocks.symlink('x'),
    message: /points out of its root/,
  },
  {
    what: 'a shard without its slot',
    make: (blocks) => shardOf(blocks, 'zz', blocks.raw('x')),
    message: /lacks its slot/,
  },
  {
    what: 'a shard with an unknown hash',
    make: (blocks) => shardOf(blocks, '00a', blocks.raw('x'), { hashType: 0x12 }),
    message: /unknown hash/,
  },
  {
    what: 'a shard too wide',
    make: (blocks) => shardOf(blocks, '000a', blocks.raw('x'), { fanout: 2048 }),
    message: /fanout is 2048/,
  },
  {
    what: 'a shard of odd width',
    make: (blocks) => shardOf(blocks, '00a', blocks.raw('x'), { fanout: 100 }),
    message: /fanout is 100/,
  },
  {
    what: 'a file in place of a shard',
    make: (blocks) => shardOf(blocks, '00', blocks.file({ data: 'x' })),
    message: /shard at .* is none/,
  },
  {
    what: 'a leaf in place of a shard',
    make: (blocks) => shardOf(blocks, '00', blocks.raw('x')),
    message: /shard at .* is none/,
  },
  {
    what: 'a shard of another width below',
    make: (blocks) => shardOf(blocks, '00', shardOf(blocks, '0a', blocks.raw('x'), { fanout: 16 })),
    message: /shard at .* is none/,
  },
  {
    what: 'deep directories',
    make: (blocks) => doubled(66, blocks.raw('x'), (cid) => blocks.directory({ d: { cid } })),
    message: /nested more than 64/,
  },
  {
    what: 'deep shards',
    make: (blocks) =>
      doubled(66, shardOf(blocks, '00a', blocks.raw('x')), (cid) => shardOf(blocks, '00', cid)),
    message: /nested more than 64/,
  },
  {
    what: 'a deep file',
    make: (blocks) => doubled(66, blocks.file({ data: 'x' }), (cid) => file(blocks, { cid, size: 1 })),
    message: /nested more than 64/,
  },
  {
    what: 'a directory that doubles 60 times',
    make: (blocks) => doubled(60, blocks.raw('x'), (cid) => blocks.directory({ a: { cid }, b: { cid } })),
    message: /more than 1000000 entries/,
  },
  {
    what: 'shards that double 60 times and hold nothing',
    make: (blocks) =>
      doubled(60, blocks.node({ type: TYPE.shard, hashType: 0x22, fanout: 256 }), (cid) =>
        blocks.node({ type: TYPE.shard, hashType: 0x22, fanout: 256 }, [
          { name: '00', cid },
          { name: '01', cid },
        ]),
      ),
    message: /more than 1000000 entries/,
  },
  {
    what: 'a file that doubles 50 times',
    make: (blocks) =>
      doubled(50, blocks.raw('x'), (cid, level) =>
        blocks.file({
          links: [
            { cid, size: 2 ** level },
            { cid, size: 2 ** level },
          ],
        }),
      ),
    message: /repeats the same parts too often/,
  },
  {
    what: 'one leaf in too many places',
    make: (blocks) =>
      doubled(3, blocks.raw('x'), (cid, level) =>
        blocks.file({ links: Array.from({ length: 200 }, () => ({ cid, size: 200 ** level })) }),
      ),
    message: /repeats the same parts too often/,
  },
  {
    what: 'too many pieces',
    make: (blocks) => blocks.file({ links: [...'abc'].map((content) => leaf(blocks, content)) }),
    budgets: { pieces: 2 },
    message: /more than 2 pieces/,
  },
  {
    what: 'too many nodes',
    make: (blocks) =>
      blocks.file({ links: [...'abc'].map((content) => ({ cid: blocks.file({ data: content }), size: 1 })) }),
    budgets: { nodes: 3 },
    message: /more than 3 DAG nodes/,
  },
  {
    what: 'too many links',
    make: (blocks) => blocks.file({ links: [...'abc'].map((content) => leaf(blocks, content)) }),
    budgets: { fileLinks: 2 },
    message: /has 3 links/,
  },
  {
    what: 'too many entries',
    make: (blocks) => blocks.directory({ a: blocks.raw('a'), b: blocks.raw('b') }),
    budgets: { entries: 2 },
    message: /more than 2 entries/,
  },
  {
    what: 'a path too long',
    make: (blocks) =>
      doubled(20, blocks.raw('x'), (cid) => blocks.directory({ ['d'.repeat(250)]: { cid, tsize: 1 } })),
    message: /paths in it are too long/,
  },
  {
    what: 'paths too long together',
    make: (blocks) => blocks.directory({ aaaa: blocks.raw('a'), bbbb: blocks.raw('b') }),
    budgets: { allPathBytes: 7 },
    message: /paths in it are too long/,
  },
  {
    what: 'a node too large',
    make: (blocks) => blocks.directory({ aaaaaaaaaa: blocks.raw('a') }),
    budgets: { nodeBytes: 20 },
    message: /bytes/,
  },
]

function identityOf(blocks: Blocks, bytes: number[]): CID {
  return blocks.directory({ a: { cid: identity(DAG_PB, Buffer.from(bytes)) } })
}

describe('the walk refuses', () => {
  for (const { what, make, message, budgets = {} } of hostile) {
    test(what, async () => {
      const blocks = new Blocks()
      await assert.rejects(walked(make(blocks), { fetchNode: blocks.fetch, budgets, platform: 'linux' }), {
        name: 'ShareError',
        code: 'BAD_CONTENT',
        message,
      })
    })
  }

  test('a bad name before it tells of any entry', async () => {
    const blocks = new Blocks()
    const root = blocks.directory({ good: blocks.raw('x'), z: blocks.directory({ '..': blocks.raw('y') }) })
    const events: WalkEvent[] = []
    await assert.rejects(async () => {
      for await (const event of walkManifest(root, { fetchNode: blocks.fetch }).events) events.push(event)
    })
    assert.deepEqual(events, [])
  })

  test('nothing twice: a doubled directory is fetched node by node', async () => {
    const blocks = new Blocks()
    const root = doubled(60, blocks.raw('x'), (cid) => blocks.directory({ a: { cid }, b: { cid } }))
    await assert.rejects(walked(root, { fetchNode: blocks.fetch }))
    assert.equal(blocks.asked.length, 61)
  })
})
