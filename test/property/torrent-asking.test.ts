/** Whatever a BitTorrent client answers, in whatever order: the scheduler hears of every byte once, from the beginning on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Span } from '../../src/exchange/peer-wire/messages.ts'
import { TorrentConnection } from '../../src/exchange/peer-wire/torrent-connection.ts'
import { WireViolation } from '../../src/exchange/peer-wire/violation.ts'
import { Asking } from '../../src/torrent/tcp/asking.ts'
import fc from './seeded.ts'

const K = 16 << 10

test('each byte that was asked for arrives or is lost, once, and in order', () => {
  const asked = fc.array(
    fc.record({ at: fc.nat({ max: 3 * K }), length: fc.integer({ min: 1, max: 5 * K }) }),
    { minLength: 1, maxLength: 4 },
  )
  const answers = fc.array(fc.record({ pick: fc.nat(), part: fc.nat(), reject: fc.boolean() }), {
    maxLength: 80,
  })
  fc.assert(
    fc.property(asked, answers, fc.boolean(), (pieces, moves, fast) => {
      const asking = new Asking(fast)
      const open: { span: Span; at: number }[] = []
      const told = pieces.map(() => 0)
      const ends = pieces.map(({ length }) => length)
      for (const [piece, { at, length }] of pieces.entries())
        asking.ask({ piece, begin: 0, length }, [{ kind: 'wire', begin: 0, index: piece, at, length }])
      const look = (): void => {
        for (const { piece, begin, length } of asking.arrived()) {
          assert.equal(begin, told[piece], 'in order')
          told[piece] = begin + length
        }
        for (const span of asking.next()) open.push({ span, at: span.begin })
      }
      look()
      for (const { pick, part, reject } of moves) {
        const each = open[pick % Math.max(1, open.length)]
        if (each === undefined) break
        const { span } = each
        const left = span.begin + span.length - each.at
        if (reject && each.at === span.begin) {
          open.splice(open.indexOf(each), 1)
          const outcome = asking.rejected(span)
          if (outcome !== undefined) {
            const { piece, begin, length } = outcome.lost
            assert.equal(begin + length, ends[piece], 'to the end')
            ends[piece] = begin
          }
        } else {
          const length = 1 + (part % left)
          asking.received(span.index, each.at, length)
          each.at += length
          if (length === left) open.splice(open.indexOf(each), 1)
        }
        look()
      }
      for (const each of [...open])
        asking.received(each.span.index, each.at, each.span.begin + each.span.length - each.at)
      look()
      for (const { piece, begin, length } of asking.dropAll()) {
        assert.deepEqual([begin, begin + length], [told[piece], ends[piece]])
        ends[piece] = begin
      }
      assert.deepEqual(told, ends)
    }),
  )
})

test('any bytes are events or a violation', () => {
  const size = { pieces: 5, sizeOf: () => K }
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }),
      fc.boolean(),
      (bodies, known) => {
        const connection = new TorrentConnection({
          fast: true,
          extended: true,
          size: known ? size : undefined,
        })
        const framed = bodies.map((body) => {
          const head = Buffer.alloc(4)
          head.writeUInt32BE(body.length)
          return Buffer.concat([head, body])
        })
        try {
          for (const event of connection.receive(Buffer.concat(framed))) assert.ok(event.type)
        } catch (thrown) {
          assert.ok(thrown instanceof WireViolation, String(thrown))
        }
      },
    ),
  )
})
