/** The mainline DHT (BEP 5): what is let through to the library, what comes of hostile datagrams, and a small net of nodes. */
import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { describe, it, type TestContext } from 'node:test'
import { type Bencodable, decodeBencode, encodeBencode } from '../../src/core/bencode.ts'
import type { Endpoint } from '../../src/core/endpoint.ts'
import { millis } from '../../src/core/types.ts'
import { Arrivals } from '../../src/torrent/discovery/arrivals.ts'
import { answeredTo, forLibrary, readDhtMessage } from '../../src/torrent/discovery/dht-messages.ts'
import { type DhtState, MainlineDht } from '../../src/torrent/discovery/mainline-dht.ts'
import { fitsAddress, nodeIdFor } from '../../src/torrent/discovery/node-id.ts'
import { SYSTEM_CLOCK } from './torrent-clock.ts'

const ID = Buffer.alloc(20, 'i')
const TARGET = Buffer.alloc(20, 't')
const PEER = Buffer.from([198, 51, 100, 1, 0x1a, 0xe1])
const LOCAL = Buffer.from([127, 0, 0, 1, 0x1a, 0xe1])

const packet = (message: Bencodable): Uint8Array => encodeBencode(message)
const query = (q: string, a: Bencodable): Uint8Array => packet({ t: 'aa', y: 'q', q, a })
const answer = (r: Bencodable, more = {}): Uint8Array => packet({ t: 'aa', y: 'r', r, ...more })

describe('a message', () => {
  it('that asks keeps the fields that are known, without the id', () => {
    const read = (q: string, a: Bencodable) => {
      const message = readDhtMessage(query(q, a), '198.51.100.9')
      return message?.kind === 'query' ? [message.method, Object.keys(message.given)] : message?.kind
    }
    assert.deepEqual(read('ping', { id: ID, x: 1 }), ['ping', []])
    assert.deepEqual(read('find_node', { id: ID, target: TARGET, want: ['n4'] }), ['find_node', ['target']])
    assert.deepEqual(read('get_peers', { id: ID, info_hash: TARGET }), ['get_peers', ['info_hash']])
    assert.deepEqual(read('announce_peer', { id: ID, info_hash: TARGET, port: 6881, token: 'x' }), [
      'announce_peer',
      ['info_hash', 'token', 'port', 'implied_port'],
    ])
    // values are not kept here: whoever asks for one is told of nodes nearer to it
    assert.deepEqual(read('get', { id: ID, target: TARGET }), ['find_node', ['target']])
    assert.deepEqual(read('put', { id: ID, v: 'x', token: 'x' }), 'unknown')
    assert.deepEqual(read('sample_infohashes', { id: ID, target: TARGET }), 'unknown')
  })

  it('that answers keeps nodes and peers that mean the same here as there', () => {
    const nodes = Buffer.concat([ID, PEER, ID, LOCAL, ID.subarray(0, 7)])
    const told = (from: string) => {
      const message = readDhtMessage(
        answer({ id: ID, nodes, token: 'x', values: [PEER, LOCAL, 'short', 5] }),
        from,
      )
      return message?.kind === 'answer' ? message.told : undefined
    }
    const far = told('198.51.100.9')
    assert.deepEqual(
      [Buffer.from(far?.nodes as Uint8Array), far?.values],
      [Buffer.concat([ID, PEER]), [Uint8Array.from(PEER)]],
    )
    const near = told('127.0.0.1')
    assert.deepEqual([near?.nodes?.length, near?.values?.length], [52, 2])
  })

  it('says how we are seen', () => {
    const message = readDhtMessage(answer({ id: ID }, { ip: PEER }), '198.51.100.9')
    assert.deepEqual(message?.kind === 'answer' && message.seen, { host: '198.51.100.1', port: 6881 })
  })

  it('of ours tells at most a hundred peers, and whom it goes to how he is seen', () => {
    const values = Array.from({ length: 200 }, () => Uint8Array.from(PEER))
    const sent = answeredTo(
      { t: Buffer.from('aa'), y: Buffer.from('r'), r: { id: ID, values } },
      { host: '127.0.0.1', port: 6881 },
    )
    const read = readDhtMessage(sent, '127.0.0.1')
    assert.ok(read?.kind === 'answer' && sent.length < 1500)
    assert.deepEqual([read.told.values?.length, Buffer.from(sent).includes(Buffer.from(LOCAL))], [100, true])
  })

  it('of another shape is none', () => {
    const bad: Bencodable[] = [
      { y: 'q', q: 'ping', a: { id: ID } },
      { t: '', y: 'q', q: 'ping', a: { id: ID } },
      { t: 'x'.repeat(17), y: 'q', q: 'ping', a: { id: ID } },
      { t: 5, y: 'q', q: 'ping', a: { id: ID } },
      { t: 'aa', y: ['q'], q: 'ping', a: { id: ID } },
      { t: 'aa', y: 'q', q: 'ping' },
      { t: 'aa', y: 'q', q: 'ping', a: {} },
      { t: 'aa', y: 'q', q: 'ping', a: { id: 'short' } },
      { t: 'aa', y: 'q', q: 'ping', a: [] },
      { t: 'aa', y: 'q', q: 'find_node', a: { id: ID } },
      { t: 'aa', y: 'q', q: 'find_node', a: { id: ID, target: { toString: 1 } } },
      { t: 'aa', y: 'q', q: 'get_peers', a: { id: ID, info_hash: 5 } },
      { t: 'aa', y: 'q', q: 'announce_peer', a: { id: ID, info_hash: TARGET, port: 0, token: 'x' } },
      { t: 'aa', y: 'q', q: 'announce_peer', a: { id: ID, info_hash: TARGET, port: 70_000, token: 'x' } },
      { t: 'aa', y: 'q', q: 'announce_peer', a: { id: ID, info_hash: TARGET, port: 1, token: ['x'] } },
      {
        t: 'aa',
        y: 'q',
        q: 'announce_peer',
        a: { id: ID, info_hash: TARGET, port: 1, token: 'x'.repeat(65) },
      },
      { t: 'aa', y: 'r', r: 5 },
      { t: 'aa', y: 'r', r: { id: [ID] } },
      { t: 'aa', y: 'x' },
      [],
      5,
    ]
    for (const message of bad)
      assert.equal(readDhtMessage(packet(message), '127.0.0.1'), undefined, JSON.stringify(message))
    for (const bytes of ['', 'l-3:ae', 'd1:y1:q', 'd1:t2:aa1:y1:qe x', `d1:x${'9'.repeat(1500)}e`])
      assert.equal(readDhtMessage(Buffer.from(bytes), '127.0.0.1'), undefined, bytes)
    assert.equal(readDhtMessage(query('ping', { id: ID, more: 'x'.repeat(1500) }), '127.0.0.1'), undefined)
  })

  it('of a query whose name is a dictionary is one that nobody understands', () => {
    const message = packet({ t: 'aa', y: 'q', q: { toString: 1 }, a: { id: ID } })
    assert.equal(readDhtMessage(message, '127.0.0.1')?.kind, 'unknown')
    const refusal = readDhtMessage(packet({ t: 'aa', y: 'e', e: [{ toString: 1 }] }), '127.0.0.1')
    assert.ok(refusal?.kind === 'refusal')
    assert.equal(
      Buffer.from(forLibrary(refusal, Buffer.from('zz'))).toString(),
      'd1:eli0e7:refusede1:t2:zz1:y1:ee',
    )
  })
})

describe('the id of a node', () => {
  // BEP 42's own examples: the address, the first 21 bits and the last byte
  for (const [host, id] of [
    ['124.31.75.21', '5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401'],
    ['21.75.31.124', '5a3ce9c14e7a08645677bbd1cfe7d8f956d53256'],
    ['65.23.51.170', 'a5d43220bc8f112a3d426c84764f8c2a1150e616'],
    ['84.124.73.14', '1b0321dd1bb1fe518101ceef99462b947a01ff41'],
    ['43.213.53.83', 'e56f6cbf5b7c4be0237986d5243b87aa6d51305a'],
  ] as const)
    it(`follows from its address ${host}`, () => {
      const bytes = Buffer.from(id, 'hex')
      assert.ok(fitsAddress(bytes, host))
      const chance = Uint8Array.from(bytes)
      chance.fill(0, 0, 2)
      chance[2] = (chance[2] ?? 0) & 7
      assert.equal(Buffer.from(nodeIdFor(host, chance) ?? '').toString('hex'), id)
      assert.ok(!fitsAddress(bytes, '198.51.100.1'))
    })

  it('is not known for IPv6', () => {
    assert.equal(nodeIdFor('2001:db8::1', ID), undefined)
  })
})

describe('what arrives', () => {
  it('is bounded for each address and altogether, and forgotten with time', () => {
    const arrivals = new Arrivals({ all: 10, each: 2 }, millis(0))
    const admitted = (address: string, at: number, times: number): number =>
      Array.from({ length: times }, () => arrivals.admits(address, millis(at))).filter(Boolean).length
    assert.equal(admitted('a', 0, 10), 4)
    assert.equal(admitted('b', 0, 10), 4)
    // what was refused took nothing from the others: 12 of 20 are left
    assert.deepEqual(
      Array.from({ length: 4 }, (_, at) => admitted(`c${at}`, 0, 5)),
      [4, 4, 4, 0],
    )
    assert.equal(admitted('a', 500, 10), 1)
    assert.equal(admitted('a', 10_000, 10), 4)
  })
})

async function openNode(
  t: TestContext,
  near: readonly MainlineDht[],
  state?: DhtState,
): Promise<MainlineDht> {
  const node = await MainlineDht.open({
    host: '127.0.0.1',
    port: 0,
    bootstrap: near.map(({ port }) => `127.0.0.1:${port}`),
    state,
    clock: SYSTEM_CLOCK,
    resolve: async (address) => [{ address, family: 4 }],
    log: () => {},
  })
  t.after(() => node.stop())
  return node
}

async function until(what: string, look: () => boolean): Promise<void> {
  for (let tries = 0; !look(); tries++) {
    assert.ok(tries < 600, `waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** A socket of somebody else, and what it hears. */
async function stranger(t: TestContext): Promise<{ socket: Socket; heard: Buffer[] }> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  const heard: Buffer[] = []
  socket.on('message', (bytes) => heard.push(bytes))
  return { socket, heard }
}

describe('nodes', () => {
  it('find each other by one that all know, and then the peers of a torrent', async (t) => {
    const first = await openNode(t, [])
    const nodes = [first]
    for (let more = 0; more < 7; more++) nodes.push(await openNode(t, [first]))
    await until('all know some', () => nodes.every((node) => node.nodes >= 3))
    const [giver, seeker] = [nodes[2], nodes[6]]
    assert.ok(giver !== undefined && seeker !== undefined)
    const giving = giver.seek(TARGET, { wantsPeers: () => false, found: () => {} })
    await until('it is announced', () => giving.standing().at !== undefined)
    const found: Endpoint[] = []
    const seeking = seeker.seek(TARGET, { wantsPeers: () => true, found: (peers) => found.push(...peers) })
    await until('it is found', () => seeking.standing().at !== undefined)
    assert.deepEqual(found, [{ host: '127.0.0.1', port: giver.port }])
    assert.equal(seeking.standing().peers, 1)

    // one that comes back knows its neighbours, and needs nobody's address
    const state = seeker.state()
    assert.ok(state.nodes.length >= 3)
    await seeker.stop()
    const again = await openNode(t, [], state)
    assert.deepEqual(Buffer.from(again.id), Buffer.from(state.id))
    await until('it is back', () => again.nodes >= 3)
  })

  it('that are alone say so, and find whoever comes', async (t) => {
    const [a, b] = [await openNode(t, []), await openNode(t, [])]
    const search = a.seek(TARGET, { wantsPeers: () => true, found: () => {} })
    await until('it was tried', () => search.standing().error !== undefined)
    assert.equal(search.standing().error, 'no DHT node is known')
    a.meet({ host: '127.0.0.1', port: b.port })
    await until('it is looked up', () => search.standing().error === undefined)
  })

  it('outlive hostile datagrams, and answer the next honest one', async (t) => {
    const node = await openNode(t, [])
    const { socket, heard } = await stranger(t)
    const hostile: (Uint8Array | string)[] = [
      await readFile(new URL('../../fixtures/wire/hangs-bencode.bin', import.meta.url)),
      'l-3:ae',
      'd1:y-3:ae',
      '',
      packet({ t: 'aa', y: 'q', q: { toString: 1 }, a: { id: ID } }),
      packet({ t: 'aa', y: 'q', q: 'find_node', a: { id: ID, target: [1] } }),
      packet({ t: 'aa', y: 'q', q: 'get_peers', a: { id: ID, info_hash: { length: 20 } } }),
      packet({ t: 'aa', y: 'q', q: 'announce_peer', a: { id: ID, info_hash: TARGET, token: 5, port: 1 } }),
      packet({ t: 'aa', y: 'r', r: { id: ID, nodes: 5, values: { a: 1 } } }),
      packet({ t: 'aa', y: 'e', e: [{ toString: 1 }] }),
      packet({ t: '\0\x01', y: 'r', r: { id: ID } }),
    ]
    for (const bytes of hostile) socket.send(bytes, node.port, '127.0.0.1')
    socket.send(packet({ t: 'honest', y: 'q', q: 'ping', a: { id: ID } }), node.port, '127.0.0.1')
    await until('the honest one is answered', () => heard.some((bytes) => bytes.includes('6:honest')))
    const [last] = heard.filter((bytes) => bytes.includes('6:honest'))
    const read = decodeBencode(last ?? new Uint8Array(0), { maxBytes: 1500 }) as { ip?: Uint8Array }
    assert.equal(read.ip?.length, 6)
  })

  it('remember nobody who merely says that he is there', async (t) => {
    const node = await openNode(t, [])
    const { socket, heard } = await stranger(t)
    socket.send(packet({ t: 'aa', y: 'q', q: 'ping', a: { id: ID } }), node.port, '127.0.0.1')
    // an answer to nothing
    socket.send(packet({ t: 'bb', y: 'r', r: { id: ID } }), node.port, '127.0.0.1')
    await until('it is asked back', () => heard.some((bytes) => bytes.includes('1:q4:ping')))
    assert.equal(node.nodes, 0)
    const question = decodeBencode(heard.find((bytes) => bytes.includes('1:q4:ping')) ?? new Uint8Array(0), {
      maxBytes: 1500,
    }) as { t: Uint8Array }
    assert.equal(question.t.length, 4)
    socket.send(packet({ t: question.t, y: 'r', r: { id: ID } }), node.port, '127.0.0.1')
    await until('it is remembered', () => node.nodes === 1)
  })

  it('do not ask back who only asks (BEP 43)', async (t) => {
    const node = await openNode(t, [])
    const { socket, heard } = await stranger(t)
    socket.send(packet({ t: 'aa', y: 'q', q: 'ping', ro: 1, a: { id: ID } }), node.port, '127.0.0.1')
    await until('it is answered', () => heard.length > 0)
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.ok(heard.every((bytes) => !bytes.includes('1:q4:ping')))
  })

  it('say what they do not understand (BEP 5)', async (t) => {
    const node = await openNode(t, [])
    const { socket, heard } = await stranger(t)
    socket.send(packet({ t: 'uu', y: 'q', q: 'dance', a: { id: ID } }), node.port, '127.0.0.1')
    await until('it is refused', () => heard.some((bytes) => bytes.includes('li204e')))
  })
})
