import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import type { PeerId } from '@libp2p/interface'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { Announcer } from '../../src/routing/announcer.ts'
import { publish } from '../../src/routing/record.ts'
import { answered, createFakeDht, createPeer, type FakeDht, found, SOME_CID } from './routing-fake-dht.ts'

const NEVER = new AbortController().signal

/** A DHT of `size` peers whose lookups name `self` as a provider. */
async function createWillingDht(size: number, self: PeerId): Promise<FakeDht> {
  const holder = await createPeer()
  return createFakeDht(size, async function* () {
    yield answered(holder, 'GET_PROVIDERS', [{ id: self, multiaddrs: [] }])
  })
}

/** Waits that are in vain end after this long, in ms. */
const PATIENCE = 5_000

async function until(condition: () => boolean): Promise<void> {
  const deadline = AbortSignal.timeout(PATIENCE)
  while (!condition()) {
    deadline.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const provides = (dht: FakeDht): number => dht.calls.filter((call) => call === 'provide').length

describe('a provider record', () => {
  it('is confirmed when another peer names us', async () => {
    const self = await createPeer()
    assert.equal(
      await publish(await createWillingDht(1, self), SOME_CID, self, 'confirm', NEVER),
      'confirmed',
    )
  })

  it('is not confirmed by our own store, nor by other providers', async () => {
    const self = await createPeer()
    const other = await createPeer()
    const dht = await createFakeDht(1, async function* () {
      yield answered(self, 'GET_PROVIDERS', [{ id: self, multiaddrs: [] }])
      yield found(self, self)
      yield answered(other, 'GET_PROVIDERS', [{ id: other, multiaddrs: [] }])
    })
    assert.equal(await publish(dht, SOME_CID, self, 'confirm', NEVER), 'sent')
  })

  it('is confirmed by a later lookup when the first came too early', async () => {
    const self = await createPeer()
    const dht = await createWillingDht(1, self)
    const willing = dht.lookup
    dht.lookup = async function* () {
      yield* []
      dht.lookup = willing
    }
    assert.equal(await publish(dht, SOME_CID, self, 'confirm', NEVER), 'confirmed')
  })

  it('counts as told to nobody without peers, or when all fail', async () => {
    const self = await createPeer()
    assert.equal(await publish(await createWillingDht(0, self), SOME_CID, self, 'confirm', NEVER), 'nobody')
    const broken = await createWillingDht(1, self)
    broken.gate = Promise.reject(new Error('all dials failed'))
    assert.equal(await publish(broken, SOME_CID, self, 'confirm', NEVER), 'nobody')
  })
})

describe('the announcer', () => {
  let announcer: Announcer | undefined

  afterEach(() => announcer?.stop())

  it('announces once there is somebody to tell', async () => {
    const self = await createPeer()
    const dht = await createWillingDht(0, self)
    announcer = new Announcer(dht, self)
    assert.equal(await announcer.announce(SOME_CID), false)
    assert.equal(announcer.announced(SOME_CID), false)
    dht.addPeer()
    await until(() => announcer?.announced(SOME_CID) === true)
    assert.deepEqual(dht.calls, ['provide', 'provide', 'find'])
  })

  it('makes one attempt for callers at the same time, and none when it is confirmed', async () => {
    const self = await createPeer()
    const dht = await createWillingDht(1, self)
    announcer = new Announcer(dht, self)
    const both = [announcer.announce(SOME_CID), announcer.announce(SOME_CID)]
    assert.deepEqual(await Promise.all(both), [true, true])
    assert.equal(await announcer.announce(SOME_CID), true)
    assert.deepEqual(dht.calls, ['provide', 'find'])
  })

  it('tells newcomers while the network is small, and stays announced meanwhile', async () => {
    const self = await createPeer()
    const dht = await createWillingDht(1, self)
    announcer = new Announcer(dht, self)
    await announcer.announce(SOME_CID)
    dht.addPeer()
    assert.equal(announcer.announced(SOME_CID), true)
    await until(() => provides(dht) === 2)
  })

  it('leaves newcomers of a big network to the daily renewal', async () => {
    const self = await createPeer()
    const dht = await createWillingDht(20, self)
    announcer = new Announcer(dht, self)
    await announcer.announce(SOME_CID)
    dht.addPeer()
    await new Promise((resolve) => setTimeout(resolve, 400)) // a sweep for newcomers starts after 200 ms
    assert.equal(announcer.announced(SOME_CID), true)
    assert.deepEqual(dht.calls, ['provide', 'find'])
  })

  it('forgets what is withdrawn, also in the middle of an attempt', async () => {
    const self = await createPeer()
    const dht = await createWillingDht(1, self)
    let open = (): void => {}
    dht.gate = new Promise((resolve) => {
      open = resolve
    })
    announcer = new Announcer(dht, self)
    const attempt = announcer.announce(SOME_CID)
    await until(() => provides(dht) === 1)
    const withdrawal = announcer.withdraw(SOME_CID)
    assert.equal(announcer.announced(SOME_CID), false)
    const again = announcer.announce(SOME_CID)
    open()
    await Promise.all([attempt, withdrawal])
    assert.equal(await again, true)
    assert.deepEqual(dht.calls, ['provide', 'cancel', 'provide', 'find'])
  })

  it('announces many without looking them up, and none twice', async () => {
    const self = await createPeer()
    const dht = await createWillingDht(1, self)
    announcer = new Announcer(dht, self)
    const cids = Array.from({ length: 30 }, (_, at) =>
      CID.createV1(0x55, Digest.create(0x12, new Uint8Array(32).fill(at))),
    )
    await announcer.announceMany([...cids, ...cids], () => true)
    assert.deepEqual(
      dht.calls,
      Array.from({ length: 30 }, () => 'provide'),
    )
    // one that matters after all is looked up
    const [first = SOME_CID] = cids
    assert.equal(await announcer.announce(first), true)
  })

  it('stops announcing many when they are not wanted any more', async () => {
    const self = await createPeer()
    const dht = await createWillingDht(1, self)
    announcer = new Announcer(dht, self)
    let left = 3
    await announcer.announceMany([SOME_CID], () => left-- > 3)
    assert.deepEqual(dht.calls, [])
  })

  it('announces nothing more once stopped', async () => {
    const self = await createPeer()
    const dht = await createWillingDht(0, self)
    announcer = new Announcer(dht, self)
    await announcer.announce(SOME_CID)
    await announcer.stop()
    dht.addPeer()
    assert.equal(await announcer.announce(SOME_CID), false)
    assert.deepEqual(dht.calls, ['provide'])
  })
})
