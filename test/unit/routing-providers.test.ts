import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import type { PeerId } from '@libp2p/interface'
import { DelegatedRouting } from '../../src/routing/delegated.ts'
import type { Dht } from '../../src/routing/dht.ts'
import { findProviders } from '../../src/routing/providers.ts'
import { ADDRESS, createFakeDht, createPeer, found, SOME_CID } from './routing-fake-dht.ts'

const delegated = new DelegatedRouting([], () => {})

async function round(
  dhts: readonly Dht[],
  self: PeerId,
  signal = new AbortController().signal,
): Promise<PeerId[]> {
  const providers: PeerId[] = []
  for await (const { id } of findProviders({ dhts, delegated }, SOME_CID, self, signal)) providers.push(id)
  return providers
}

describe('a round of finding providers', () => {
  it('merges the DHTs, without ourselves and without repeats', async () => {
    const [self, a, b, c] = [await createPeer(), await createPeer(), await createPeer(), await createPeer()]
    const lan = await createFakeDht(1, async function* () {
      yield found(c, self, a)
      yield found(b, a, b)
    })
    const wide = await createFakeDht(1, async function* () {
      yield found(c, b, c, self)
    })
    const providers = await round([lan, wide], self)
    assert.deepEqual(new Set(providers.map(String)), new Set([a, b, c].map(String)))
    assert.equal(providers.length, 3)
  })

  it('gives what one DHT has while another hangs, and ends that one when the caller leaves', async () => {
    const [self, a] = [await createPeer(), await createPeer()]
    let ended = false
    const lan = await createFakeDht(1, async function* () {
      yield found(a, a)
    })
    const hanging = await createFakeDht(1, async function* (signal) {
      yield* []
      await once(signal, 'abort')
      ended = true
    })
    for await (const { id } of findProviders(
      { dhts: [lan, hanging], delegated },
      SOME_CID,
      self,
      new AbortController().signal,
    )) {
      assert.ok(id.equals(a))
      assert.equal(ended, false)
      break
    }
    assert.equal(ended, true)
  })

  it('ends quietly when the signal fires, or when a DHT fails', async () => {
    const [self, a] = [await createPeer(), await createPeer()]
    const hanging = await createFakeDht(1, async function* (signal) {
      yield* []
      await once(signal, 'abort')
      throw signal.reason
    })
    assert.deepEqual(await round([hanging], self, AbortSignal.timeout(50)), [])
    const failing = await createFakeDht(1, async function* () {
      yield found(a, a)
      throw new Error('no')
    })
    assert.deepEqual((await round([failing], self)).map(String), [a.toString()])
  })

  it('asks again as soon as a lonely node meets its first peer', async () => {
    const [self, a] = [await createPeer(), await createPeer()]
    const quiet = await createFakeDht(0)
    const dht = await createFakeDht(0)
    const providers = round([quiet, dht], self)
    dht.lookup = async function* () {
      yield found(a, a)
    }
    dht.addPeer()
    assert.deepEqual((await providers).map(String), [a.toString()])
    assert.deepEqual(dht.calls, ['find', 'find'])
    assert.deepEqual(quiet.calls, ['find'])
  })

  it('does not wait for one DHT to find peers when another has them', async () => {
    const self = await createPeer()
    assert.deepEqual(await round([await createFakeDht(0), await createFakeDht(1)], self), [])
  })

  it('takes no more than a hundred from strangers', async () => {
    const [self, from] = [await createPeer(), await createPeer()]
    const crowd = await Promise.all(Array.from({ length: 150 }, createPeer))
    const dht = await createFakeDht(1, async function* () {
      yield found(from, ...crowd)
    })
    assert.equal((await round([dht], self)).length, 100)
  })

  it('names each address once', async () => {
    const [self, a] = [await createPeer(), await createPeer()]
    const dht = await createFakeDht(1, async function* () {
      yield found(a, a)
    })
    for await (const { multiaddrs } of findProviders(
      { dhts: [dht], delegated },
      SOME_CID,
      self,
      new AbortController().signal,
    )) {
      assert.deepEqual(multiaddrs, [ADDRESS])
      return
    }
    assert.fail('nobody was found')
  })

  it('ends at once without a DHT', async () => {
    assert.deepEqual(await round([], await createPeer()), [])
  })
})
