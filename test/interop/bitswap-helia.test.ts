/** Files and trees between Helia and `share` by Bitswap, both ways, with nothing but a connection. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Homes } from '../e2e/homes.ts'
import { assertSame, MIB, writeNoise } from '../e2e/trees.ts'
import { corpusOf } from './corpus.ts'
import { Helia } from './helia.ts'

for (const profile of ['unixfs-v1-2025', 'unixfs-v0-2015'] as const) {
  test(`${profile}: Helia gets from share, and gives it on to another share`, async (t) => {
    const homes = await Homes.open(t)
    const helia = await Helia.start(homes)
    const [seeder, leecher] = [await homes.add('seeder'), await homes.add('leecher')]
    await helia.connect(seeder)
    const address = await helia.address()
    for (const [at, [name, make]] of Object.entries(corpusOf(profile)).entries()) {
      await t.test(name, async (t) => {
        const source = homes.path(`source ${at}`)
        await make(source, 200 + at + (profile === 'unixfs-v1-2025' ? 0 : 100))
        const root = await seeder.share('add', '--profile', profile, source)
        const before = await helia.tell(t)
        await helia.get(root, homes.path(`helia got ${at}`))
        await assertSame(homes.path(`helia got ${at}`), source)
        await leecher.share('get', root, '--peer', address, '-o', homes.path(`share got ${at}`))
        await assertSame(homes.path(`share got ${at}`), source)
        const { received, sent } = await helia.tell(t)
        assert.ok(received > before.received && sent > before.sent)
      })
    }
  })
}

test('share gets what Helia added', async (t) => {
  const homes = await Homes.open(t)
  const [helia, leecher] = [await Helia.start(homes), await homes.add('leecher')]
  await writeNoise(homes.path('file'), 3 * MIB + 1, 400)
  const root = await helia.add(homes.path('file'))
  await leecher.share('get', root, '--peer', await helia.address(), '-o', homes.path('copy'))
  await assertSame(homes.path('copy'), homes.path('file'))
  assert.ok((await helia.tell(t)).sent > 0)
})
