/** Files and trees between kubo and `share` by Bitswap, both ways, with nothing but a connection. */
import assert from 'node:assert/strict'
import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { describe, test } from 'node:test'
import { CID } from 'multiformats/cid'
import { writeCar } from '../../src/content/car-writer.ts'
import { Homes } from '../e2e/homes.ts'
import { assertSame, MIB, writeNoise } from '../e2e/trees.ts'
import { Blocks } from '../unit/content-dags.ts'
import { corpusOf, manyFiles, oddities } from './corpus.ts'
import { Kubo } from './kubo.ts'

/** Of kubo's `add`; `share` makes the same CIDs by profiles of these names. */
const PROFILES = {
  'unixfs-v1-2025': [],
  'unixfs-v0-2015': [
    '--cid-version=0',
    '--raw-leaves=false',
    '--chunker=size-262144',
    '--max-file-links=174',
  ],
} as const

/** kubo prints the old form of the old profile's CIDs. */
const asV1 = (cid: string): string => CID.parse(cid).toV1().toString()

describe('content of every kind', () => {
  for (const profile of ['unixfs-v1-2025', 'unixfs-v0-2015'] as const) {
    const options = PROFILES[profile]
    test(`${profile}, both ways`, async (t) => {
      const homes = await Homes.open(t)
      const [giver, taker] = [await Kubo.start(homes, 'giver'), await Kubo.start(homes, 'taker')]
      const [seeder, leecher] = [await homes.add('seeder'), await homes.add('leecher')]
      await taker.connect(seeder)
      const address = await giver.address()
      for (const [at, [name, make]] of Object.entries(corpusOf(profile)).entries()) {
        await t.test(name, async (t) => {
          const source = homes.path(`source ${at}`)
          await make(source, at + (profile.startsWith('unixfs-v1') ? 0 : 100))
          const root = await giver.add(source, ...options)
          assert.equal(await seeder.share('add', '--profile', profile, source), asV1(root))

          const sent = (await giver.count()).BlocksSent
          await leecher.share('get', root, '--peer', address, '-o', homes.path(`share got ${at}`))
          await assertSame(homes.path(`share got ${at}`), source)
          assert.ok((await giver.tell(t)).BlocksSent > sent)

          const received = (await taker.count()).BlocksReceived
          await taker.get(root, homes.path(`kubo got ${at}`))
          await assertSame(homes.path(`kubo got ${at}`), source)
          assert.ok((await taker.tell(t)).BlocksReceived > received)
        })
      }
    })
  }
})

test('trickle layouts, and DAGs with data in inner nodes', async (t) => {
  const homes = await Homes.open(t)
  const [giver, taker] = [await Kubo.start(homes, 'giver'), await Kubo.start(homes, 'taker')]
  const [seeder, leecher] = [await homes.add('seeder'), await homes.add('leecher')]
  await taker.connect(seeder)
  const address = await giver.address()

  for (const [at, options] of [[], ['--raw-leaves=false', '--cid-version=0']].entries()) {
    await t.test(`trickle, ${options.length === 0 ? 'raw leaves' : 'dag-pb leaves'}`, async (t) => {
      const source = homes.path(`source ${at}`)
      await writeNoise(source, 9 * MIB + 11, 20 + at)
      const root = await giver.add(source, '--trickle', '--chunker=size-65536', ...options)
      await leecher.share('get', root, '--peer', address, '-o', homes.path(`got ${at}`))
      await assertSame(homes.path(`got ${at}`), source)
      await leecher.share('export', root, '-o', homes.path(`${at}.car`))
      await seeder.share('import', homes.path(`${at}.car`))
      await taker.get(root, homes.path(`back ${at}`))
      await assertSame(homes.path(`back ${at}`), source)
      await taker.tell(t)
    })
  }

  await t.test('made by hand', async (t) => {
    const blocks = new Blocks()
    const leaf = (text: string) => ({ cid: blocks.raw(text), size: text.length, tsize: text.length })
    const inner = blocks.file({ data: 'two ', links: [leaf('three '), leaf('four ')] })
    const root = blocks.file({
      data: 'one ',
      links: [{ cid: inner, size: 15, tsize: blocks.size(inner) + 11 }, leaf('five')],
    })
    const car = homes.path('inner.car')
    const all = blocks.cids.map((cid) => ({ cid, block: blocks.block(cid) }))
    await pipeline(
      writeCar(
        [root],
        (async function* () {
          yield* all
        })(),
      ),
      createWriteStream(car),
    )
    await giver.run('dag', 'import', car)
    await leecher.share('get', root.toString(), '--peer', address, '-o', homes.path('by hand'))
    assert.equal(await readFile(homes.path('by hand'), 'utf8'), 'one two three four five')
    await seeder.share('import', car)
    // every block comes; what lies in inner nodes kubo leaves out, also of what is its own
    const read = await taker.run('cat', root.toString())
    assert.equal(read, await giver.run('cat', root.toString()))
    assert.ok('one two three four five'.includes(read), read)
    await taker.tell(t)
  })
})

test('kubo cats, ranges of files too, and pins what share has', async (t) => {
  const homes = await Homes.open(t)
  const [kubo, seeder] = [await Kubo.start(homes, 'k'), await homes.add('seeder')]
  await kubo.connect(seeder)
  await oddities(homes.path('tree'), 40)
  const root = await seeder.share('add', homes.path('tree'))
  const file = await readFile(homes.path('tree', 'a b', 'file'))
  const range = ['--offset', '2000000', '--length', '9']
  assert.equal(
    await kubo.pipe('', 'cat', `/ipfs/${root}/a b/file`, ...range),
    file.subarray(2_000_000, 2_000_009).toString(),
  )
  assert.match(await kubo.run('ls', root), /empty directory\//)
  assert.match(await kubo.run('pin', 'add', '--progress=false', root), /^pinned/)
  await seeder.stop()
  await kubo.get(root, homes.path('copy'))
  await assertSame(homes.path('copy'), homes.path('tree'))
  await kubo.tell(t)
})

test('seeders of both kinds give one download its parts', async (t) => {
  const homes = await Homes.open(t)
  const kubos = [await Kubo.start(homes, '1'), await Kubo.start(homes, '2')]
  const [seeder, leecher] = [await homes.add('seeder'), await homes.add('leecher')]
  await writeNoise(homes.path('file'), 48 * MIB, 50)
  const root = await seeder.share('add', homes.path('file'))
  // so that nobody is done before all take part
  await seeder.share('limit', root, '--up', '8MB')
  for (const kubo of kubos) assert.equal(await kubo.add(homes.path('file')), root)
  const addresses = await Promise.all([seeder, ...kubos].map((each) => each.address()))
  const peers = addresses.flatMap((address) => ['--peer', address])
  await leecher.share('get', root, ...peers, '-o', homes.path('copy'))
  await assertSame(homes.path('copy'), homes.path('file'))
  for (const kubo of kubos) assert.ok((await kubo.tell(t)).BlocksSent > 1)
  assert.ok((await seeder.status(root)).uploaded > 0)
})

test('of four seeders hardly anything comes twice', async (t) => {
  const homes = await Homes.open(t)
  const kubos = await Promise.all([1, 2, 3, 4].map((at) => Kubo.start(homes, String(at))))
  const leecher = await homes.add('leecher')
  const addresses = await Promise.all(kubos.map((kubo) => kubo.address()))
  await manyFiles(homes.path('tree'), 70)
  await writeNoise(homes.path('tree', 'long'), 100 * MIB, 71)
  let root = ''
  for (const kubo of kubos) root = await kubo.add(homes.path('tree'))
  const blocks = 1 + ((await kubos[0]?.run('refs', '-r', '-u', root)) ?? '').split('\n').length
  await leecher.share('get', root, ...addresses.flatMap((each) => ['--peer', each]), '-o', homes.path('copy'))
  await assertSame(homes.path('copy'), homes.path('tree'))
  const counts = await Promise.all(kubos.map((kubo) => kubo.tell(t)))
  const sent = counts.reduce((sum, { BlocksSent }) => sum + BlocksSent, 0)
  t.diagnostic(`${blocks} blocks, of which ${sent} were sent`)
  assert.ok(sent <= 1.02 * blocks, `${sent} of ${blocks}`)
})

test('a swarm of kubo and share, with one seeder', async (t) => {
  const homes = await Homes.open(t)
  const kubos = [await Kubo.start(homes, '1'), await Kubo.start(homes, '2')]
  const seeder = await homes.add('seeder')
  const leechers = [await homes.add('a'), await homes.add('b')]
  await writeNoise(homes.path('file'), 32 * MIB, 60)
  const root = await seeder.share('add', homes.path('file'))
  await seeder.share('limit', root, '--up', '16MB')
  const all = [...leechers, ...kubos]
  for (const [at, one] of all.entries())
    for (const other of [seeder, ...all.slice(0, at)])
      if (one instanceof Kubo) await one.connect(other)
      else await one.share('peers', 'connect', await other.address())
  await Promise.all(
    all.map((one, at) => {
      const target = homes.path(`copy ${at}`)
      return one instanceof Kubo ? one.get(root, target) : one.share('get', root, '-o', target)
    }),
  )
  for (const at of all.keys()) await assertSame(homes.path(`copy ${at}`), join(homes.work, 'file'))
  for (const kubo of kubos) await kubo.tell(t)
})
