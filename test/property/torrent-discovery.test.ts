/** Discovery against anything: datagrams of the DHT, answers of trackers, packets of local discovery; and announcing in any order of events. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Bencodable, decodeBencode, encodeBencode } from '../../src/core/bencode.ts'
import { createPrng } from '../../src/core/prng.ts'
import { millis } from '../../src/core/types.ts'
import { Announcing } from '../../src/torrent/discovery/announcing.ts'
import { type DhtMessage, forLibrary, readDhtMessage } from '../../src/torrent/discovery/dht-messages.ts'
import fc from './seeded.ts'

const bytes = fc.uint8Array({ maxLength: 40 })
const id = fc.uint8Array({ minLength: 20, maxLength: 20 })

/** Any value, often one that looks right. */
const value = fc.letrec<{ value: Bencodable }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    id,
    bytes,
    fc.integer(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('id', 'target', 'length', 'toString', 'equals', 'x'), tie('value')),
  ),
})).value

const fields = fc.record(
  {
    t: fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 4 }), value),
    y: fc.oneof(fc.constantFrom('q', 'r', 'e'), value),
    q: fc.oneof(fc.constantFrom('ping', 'find_node', 'get_peers', 'announce_peer', 'get', 'put'), value),
    a: fc.oneof(
      fc.record(
        {
          id: fc.oneof(id, value),
          target: fc.oneof(id, value),
          info_hash: fc.oneof(id, value),
          token: fc.oneof(bytes, value),
          port: fc.oneof(fc.integer({ min: 0, max: 70_000 }), value),
          implied_port: fc.oneof(fc.constantFrom(0, 1), value),
        },
        { requiredKeys: ['id'] },
      ),
      value,
    ),
    r: fc.oneof(
      fc.record(
        {
          id: fc.oneof(id, value),
          nodes: fc.oneof(fc.uint8Array({ maxLength: 100 }), value),
          values: fc.oneof(fc.array(fc.uint8Array({ maxLength: 7 })), value),
          token: value,
        },
        { requiredKeys: ['id'] },
      ),
      value,
    ),
    e: value,
    ip: value,
    ro: fc.constantFrom(0, 1),
  },
  { requiredKeys: ['t', 'y'] },
)

/** What the library relies on without looking. */
function isSafe(message: Exclude<DhtMessage, { kind: 'unknown' }>): void {
  const read = decodeBencode(forLibrary(message, Buffer.from('ab')), { maxBytes: 10_000 }) as Record<
    string,
    never
  >
  const { a, r } = read as { a?: Record<string, unknown>; r?: Record<string, unknown> }
  for (const name of ['target', 'info_hash'])
    if (a?.[name] !== undefined) assert.equal((a[name] as Uint8Array).length, 20)
  assert.equal(a?.id, undefined)
  if (a?.port !== undefined) assert.equal(typeof a.port, 'number')
  if (message.kind === 'query' && message.method === 'announce_peer')
    assert.ok(a?.token instanceof Uint8Array)
  if (r !== undefined) assert.equal((r.id as Uint8Array).length, 20)
  if (r?.nodes !== undefined) assert.equal((r.nodes as Uint8Array).length % 26, 0)
  for (const each of (r?.values ?? []) as unknown[]) assert.equal((each as Uint8Array).length, 6)
}

test('a datagram is no message, or one of a shape that the library can bear', () => {
  let passed = 0
  fc.assert(
    fc.property(fields, (message) => {
      const read = readDhtMessage(encodeBencode(message), '198.51.100.1')
      if (read === undefined || read.kind === 'unknown') return
      passed++
      isSafe(read)
    }),
    { numRuns: 2000 },
  )
  assert.ok(passed > 100, `${passed} passed`)
})

test('bytes of any kind, and messages that were damaged, are survived', () => {
  const damaged = fc
    .tuple(fields, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 3 }))
    .map(([message, at, patch]) => {
      const packet = Uint8Array.from(encodeBencode(message))
      packet.set(patch, Math.min(at % packet.length, packet.length - patch.length))
      return packet
    })
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 2000 })), (packet) => {
      const read = readDhtMessage(packet, '127.0.0.1')
      if (read !== undefined && read.kind !== 'unknown') isSafe(read)
    }),
    { numRuns: 2000 },
  )
})

const event = fc.oneof(
  fc.record({
    type: fc.constant('answered' as const),
    interval: fc.integer({ min: 60, max: 86_400 }),
    min: fc.integer({ min: 60, max: 86_400 }),
  }),
  fc.record({ type: fc.constantFrom('failed' as const, 'completed' as const, 'wanting' as const) }),
  fc.record({ type: fc.constant('later' as const), ms: fc.integer({ min: 0, max: 4_000_000 }) }),
)

test('a tracker is never told oftener than it lets us, of the start first, and of the end of the download once', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), fc.integer(), (events, seed) => {
      let now = 0
      const announcing = new Announcing([['a', 'b'], ['c']], createPrng(seed), millis(now))
      const log = new Map<string, { event: string | undefined; at: number; earliest: number }[]>()
      let isComplete = false
      let asking: string | undefined
      for (const step of [...events, { type: 'later', ms: 1 } as const]) {
        if (step.type === 'later') now += step.ms
        if (step.type === 'completed' && !isComplete) {
          isComplete = true
          announcing.completed(millis(now))
        }
        if (step.type === 'wanting') announcing.wanting(millis(now))
        if (asking !== undefined && step.type === 'answered') {
          const { interval, min } = step
          announcing.answered(
            {
              interval,
              minInterval: min,
              peers: [],
              seeders: 0,
              leechers: 0,
              warning: undefined,
              trackerId: undefined,
            },
            millis(now),
          )
          const last = log.get(asking)?.at(-1)
          if (last !== undefined) last.earliest = now + Math.min(interval, min) * 1000
          asking = undefined
        } else if (asking !== undefined && step.type === 'failed') {
          announcing.failed('no', millis(now))
          const told = log.get(asking)
          // it does not know what it was told
          told?.pop()
          asking = undefined
        }
        const telling = asking === undefined ? announcing.next(millis(now)) : undefined
        if (telling === undefined) continue
        asking = telling.url
        const told = log.get(telling.url) ?? []
        const before = told.at(-1)
        if (telling.event === undefined) assert.ok(before !== undefined && now >= before.earliest)
        if (telling.event === 'started') assert.equal(told.length, 0)
        if (telling.event === 'completed')
          assert.ok(told.length > 0 && told.every((each) => each.event !== 'completed'))
        log.set(telling.url, [...told, { event: telling.event, at: now, earliest: Number.POSITIVE_INFINITY }])
      }
      const left = announcing.leaving().map(({ url }) => url)
      const answered = [...log]
        .filter(([url, told]) => told.length > (url === asking ? 1 : 0))
        .map(([url]) => url)
      assert.deepEqual(left.toSorted(), answered.toSorted())
    }),
  )
})
