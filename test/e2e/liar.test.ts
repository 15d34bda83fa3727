/** A peer that sends wrong bytes is banned and named, and costs nobody a wrong byte. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Homes, until } from './homes.ts'
import { assertSame, MIB, writeNoise } from './trees.ts'

const WIRES = ['bitswap', 'share'] as const
type Wire = (typeof WIRES)[number]

const LIAR = fileURLToPath(new URL('./liar.ts', import.meta.url))

for (const wire of WIRES) {
  test(`a liar by ${wire} is banned and named, and the download completes from the honest peer`, async (t) => {
    const homes = await Homes.open(t)
    const [honest, leecher] = [await homes.add('honest', { 'limits.up': '4MB' }), await homes.add('leecher')]
    const [source, target] = [homes.path('source'), homes.path('target')]
    await writeNoise(source, 24 * MIB, 1)
    const cid = await honest.share('add', '-q', source)
    const address = await startLiar(t, source, wire)
    const getting = leecher.start('get', cid, '-o', target, '--peer', address)
    const banned = await until('the liar is banned', async () => {
      const share = (await leecher.shares()).find((each) => each.cid === cid)
      return share?.banned[0]
    })
    assert.equal(banned.id, address.split('/').at(-1))
    assert.ok(banned.reason !== '')
    await leecher.connect(honest)
    assert.equal((await getting.ended).code, 0)
    await assertSame(target, source)
    assert.ok((await leecher.share('status')).includes(`banned: ${banned.id}`))
    assert.notEqual((await leecher.run('peers', 'connect', address)).code, 0)
    const { peers } = await leecher.json<{ peers: { id: string }[] }>('peers')
    assert.deepEqual(
      peers.map(({ id }) => id),
      [await honest.peerId()],
    )
  })

  test(`with a liar by ${wire} and an honest peer from the start, the download completes`, async (t) => {
    const homes = await Homes.open(t)
    const [honest, leecher] = [await homes.add('honest', { 'limits.up': '4MB' }), await homes.add('leecher')]
    const [source, target] = [homes.path('source'), homes.path('target')]
    await writeNoise(source, 24 * MIB, 2)
    const cid = await honest.share('add', '-q', source)
    const address = await startLiar(t, source, wire)
    await leecher.connect(honest)
    await leecher.share('get', cid, '-o', target, '--peer', address)
    await assertSame(target, source)
    // the honest one may have sent everything, or a part of each piece that was wrong: then nobody can be blamed
    const { banned } = await leecher.status(cid)
    assert.ok(!banned.some(({ id }) => id !== address.split('/').at(-1)), JSON.stringify(banned))
  })
}

/** A liar's address; it ends with the test. */
async function startLiar(t: TestContext, path: string, wire: Wire): Promise<string> {
  const child: ChildProcess = spawn(process.execPath, [LIAR, path, wire], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  assert.ok(child.stdout !== null)
  const [address] = await once(createInterface(child.stdout), 'line')
  return String(address)
}
