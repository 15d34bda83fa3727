/** One BitTorrent connection, message by message. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Bitfield } from '../../src/core/bitfield.ts'
import { encodeMessage, type KnownMessage } from '../../src/exchange/peer-wire/messages.ts'
import {
  TorrentConnection,
  type TorrentEvent,
  type TorrentSize,
} from '../../src/exchange/peer-wire/torrent-connection.ts'
import { encodeTorrentGreeting } from '../../src/exchange/peer-wire/torrent-greeting.ts'

const K = 16 << 10
/** Three pieces of 64 KiB, the last one of a block. */
const SIZE = { pieces: 3, sizeOf: (index: number) => (index === 2 ? K : 4 * K) }

const open = (size: TorrentSize | undefined, fast = true): TorrentConnection =>
  new TorrentConnection({ fast, extended: true, size })

function hears(connection: TorrentConnection, ...messages: KnownMessage[]): TorrentEvent[] {
  return messages.flatMap((message) => [...connection.receive(Buffer.concat(encodeMessage(message)))])
}

/** The first byte after the length of each message that waits: its id. */
function said(connection: TorrentConnection): number[] {
  const bytes = Buffer.concat(connection.take()?.parts ?? [])
  const ids: number[] = []
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32BE(at)) ids.push(bytes[at + 4] ?? -1)
  return ids
}

const types = (events: readonly TorrentEvent[]): string[] => events.map(({ type }) => type)
const violation = (code: string) => ({ name: 'WireViolation', code })
const bits = (...indexes: number[]): KnownMessage => {
  const have = new Bitfield(3)
  for (const index of indexes) have.add(index)
  return { type: 'bitfield', bits: have.bytes }
}

describe('what a peer has', () => {
  it('is told by one list and by haves; a list that comes again adds to it', () => {
    const connection = open(SIZE)
    assert.deepEqual(types(hears(connection, bits(0), { type: 'have', index: 2 })), ['listed', 'have'])
    assert.deepEqual(hears(connection, bits(0, 1)), [{ type: 'have', index: 1 }])
    assert.ok(connection.have?.complete)
  })

  it('is nothing where it says something else first', () => {
    const connection = open(SIZE)
    assert.deepEqual(types(hears(connection, { type: 'interested' })), ['listed', 'interested'])
    assert.equal(connection.have?.count, 0)
  })

  it('is kept until the pieces are known', () => {
    const connection = open(undefined)
    assert.deepEqual(types(hears(connection, { type: 'have-none' }, { type: 'have', index: 1 })), [])
    assert.deepEqual(types([...connection.know(SIZE)]), ['listed'])
    assert.deepEqual([...(connection.have ?? [])], [1])
  })

  it('comes before what it said of its wishes and ours meanwhile', () => {
    const connection = open(undefined)
    const messages = [{ type: 'unchoke' }, { type: 'interested' }, { type: 'not-interested' }] as const
    assert.deepEqual(hears(connection, ...messages), [])
    assert.deepEqual(types([...connection.know(SIZE)]), ['listed', 'unchoked'])
  })

  it('cannot be what there is not', () => {
    assert.throws(() => hears(open(SIZE), { type: 'have', index: 3 }), violation('out-of-bounds'))
    assert.throws(
      () => hears(open(SIZE), { type: 'bitfield', bits: new Uint8Array(2) }),
      violation('malformed'),
    )
    const connection = open(undefined)
    hears(connection, { type: 'bitfield', bits: new Uint8Array(2) })
    assert.throws(() => connection.know(SIZE), violation('malformed'))
  })
})

describe('requests', () => {
  const request = (index: number, begin: number, length: number): KnownMessage => ({
    type: 'request',
    index,
    begin,
    length,
  })

  it('lie in a piece, and have 128 KiB at most', () => {
    assert.deepEqual(types(hears(open(SIZE), request(1, 0, 4 * K))), ['listed', 'requested'])
    for (const bad of [request(3, 0, K), request(2, 0, K + 1), request(1, 4 * K, 1), request(1, 0, 0)])
      assert.throws(() => hears(open(SIZE), bad), violation('out-of-bounds'))
    const large = new TorrentConnection({
      fast: true,
      extended: true,
      size: { pieces: 1, sizeOf: () => 1 << 20 },
    })
    assert.throws(() => hears(large, request(0, 0, (128 << 10) + 1)), violation('out-of-bounds'))
  })

  it('are turned down while nothing is known of the pieces, where the peer knows rejects', () => {
    const connection = open(undefined)
    hears(connection, request(0, 0, K))
    assert.deepEqual(said(connection), [16])
    const old = open(undefined, false)
    hears(old, request(0, 0, K))
    assert.deepEqual(said(old), [])
  })
})

describe('what we have', () => {
  it('is one message with the fast extension, and a bitfield or nothing without', () => {
    const cases = [
      [new Bitfield(3), true, [15]],
      [Bitfield.full(3), true, [14]],
      [undefined, true, [15]],
      [Bitfield.full(3), false, [5]],
      [new Bitfield(3), false, []],
      [undefined, false, []],
    ] as const
    for (const [have, fast, ids] of cases) {
      const connection = open(SIZE, fast)
      connection.list(have)
      assert.deepEqual(said(connection), ids)
    }
  })
})

describe('extensions', () => {
  it('are spoken by the ids that the peer gave', () => {
    const connection = open(SIZE)
    assert.ok(!connection.sendMetadata({ type: 'request', block: 0 }))
    const payload = encodeTorrentGreeting({
      extensions: new Map([['ut_metadata', 77]]),
      version: undefined,
      requests: 10,
      port: undefined,
      metadataSize: 100,
      uploadOnly: false,
      yourIp: undefined,
    })
    assert.deepEqual(types(hears(connection, { type: 'extended', id: 0, payload })), ['greeted'])
    assert.ok(connection.sendMetadata({ type: 'request', block: 0 }))
    assert.equal(Buffer.concat(connection.take()?.parts ?? [])[5], 77)
    assert.deepEqual(hears(connection, { type: 'extended', id: 99, payload: Buffer.from('whatever') }), [])
  })
})

describe('a length that nobody needs', () => {
  it('ends the connection before anything is kept', () => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE((320 << 10) + 1)
    assert.throws(() => [...open(SIZE).receive(head)], violation('too-long'))
  })
})
