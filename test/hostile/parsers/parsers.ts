/** The parsers of what strangers send: examples of what each reads, and what it throws of anything else. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CID } from 'multiformats/cid'
import { DEFAULT_BUDGETS } from '../../../src/content/budgets.ts'
import { readCar } from '../../../src/content/car-reader.ts'
import { decodeNode } from '../../../src/content/dag-node.ts'
import { decodeBencode } from '../../../src/core/bencode.ts'
import { MalformedBencode } from '../../../src/core/bencode-guard.ts'
import { Bitfield } from '../../../src/core/bitfield.ts'
import { DAG_PB, RAW, readCid } from '../../../src/core/cid.ts'
import { ShareError } from '../../../src/core/errors.ts'
import { FrameDecoder, FrameTooLong } from '../../../src/exchange/bitswap/framing.ts'
import {
  blockPrefix,
  decodeMessage,
  decodePrefix,
  encodeMessage,
  MalformedMessage,
} from '../../../src/exchange/bitswap/message.ts'
import { Connection } from '../../../src/exchange/peer-wire/connection.ts'
import { EXTENSION_IDS } from '../../../src/exchange/peer-wire/extensions.ts'
import { encodeHandshake } from '../../../src/exchange/peer-wire/handshake.ts'
import { encodeMessage as encodeWire, type KnownMessage } from '../../../src/exchange/peer-wire/messages.ts'
import { WireViolation } from '../../../src/exchange/peer-wire/violation.ts'
import { askedBy } from '../../../src/gateway/asked.ts'
import { rangeOf } from '../../../src/gateway/range.ts'
import { parseTarget } from '../../../src/node/target.ts'
import { decodeReply } from '../../../src/node/ways-in/nat-pmp.ts'
import { readAnswer } from '../../../src/routing/routing-answer.ts'
import { readDhtMessage } from '../../../src/torrent/discovery/dht-messages.ts'
import { parseMagnet } from '../../../src/torrent/magnet.ts'
import { readMetainfo } from '../../../src/torrent/metainfo.ts'
import { nodeBytes, TYPE } from '../../unit/content-dags.ts'
import { cidOf } from '../../unit/store-fixture.ts'

const FIXTURES = new URL('../../../fixtures/', import.meta.url).pathname

export interface Parser {
  readonly examples: readonly Uint8Array[]
  /** What it throws of malformed input: these, and nothing derived from them. */
  readonly promises: readonly (new (
    ...args: never[]
  ) => Error)[]
  /** Gives what the bytes are taken for, or throws. */
  parse(bytes: Buffer): unknown
}

const leaf = cidOf(RAW, Buffer.from('leaf'))
const PEER = '12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8'
const nothing = { wants: [], full: false, blocks: [], presences: [] }
const want = { cid: leaf, kind: 'block', cancel: false, sendDontHave: true } as const

const wire: readonly KnownMessage[] = [
  {
    type: 'extended',
    id: 0,
    payload: encodeHandshake({
      root: leaf.bytes,
      version: 'x',
      requests: 9,
      pieces: 4,
      seed: true,
      extensions: EXTENSION_IDS,
    }),
  },
  { type: 'have-all' },
  { type: 'request', index: 1, begin: 0, length: 5 },
  {
    type: 'extended',
    id: EXTENSION_IDS.share_pex,
    payload: Buffer.from('d5:addedld1:al4:abcde2:id4:abcdee7:droppedlee'),
  },
  // nobody asked for it
  { type: 'piece', index: 1, begin: 0, data: Buffer.from('hello') },
]

export const PARSERS: Readonly<Record<string, Parser>> = {
  bencode: {
    examples: [Buffer.from('d1:ali1ei-2ee1:bd3:key5:valueee'), Buffer.from('l-3:ae'), Buffer.from('i1.5e')],
    promises: [MalformedBencode],
    parse: (bytes) => decodeBencode(bytes, { maxBytes: 1 << 16 }),
  },
  metainfo: {
    examples: filesOf('torrent'),
    promises: [ShareError],
    parse: (bytes) => readMetainfo(bytes),
  },
  'peer wire': {
    examples: [Buffer.concat(wire.flatMap((message) => encodeWire(message)))],
    promises: [WireViolation],
    parse: (bytes) => {
      const seen: unknown[] = []
      const connection = new Connection({ version: 'x', requests: 9 })
      connection.introduce(leaf.bytes, { sizes: [5, 5, 5, 5], have: Bitfield.full(4) })
      for (let at = 0; at < bytes.length; at += 1000)
        seen.push(...connection.receive(bytes.subarray(at, at + 1000)))
      while (connection.next() !== undefined);
      return seen
    },
  },
  Bitswap: {
    examples: [
      Buffer.concat(
        encodeMessage({ ...nothing, wants: [want], full: true, presences: [{ cid: leaf, has: true }] }),
      ),
      Buffer.concat(
        encodeMessage({ ...nothing, blocks: [{ prefix: blockPrefix(leaf), data: Buffer.from('leaf') }] }),
      ),
    ],
    promises: [MalformedMessage, FrameTooLong],
    parse: (bytes) => {
      new FrameDecoder().push(bytes)
      const message = decodeMessage(bytes)
      return [message, message.blocks.map(({ prefix }) => decodePrefix(prefix))]
    },
  },
  'DAG nodes': {
    examples: [
      nodeBytes({ type: TYPE.file, fileSize: 8, blockSizes: [4, 4] }, [
        { cid: leaf, tsize: 4 },
        { cid: leaf, tsize: 4 },
      ]),
      nodeBytes({ type: TYPE.directory }, [{ name: 'a', cid: leaf, tsize: 4 }]),
      nodeBytes({ type: TYPE.shard, data: Buffer.from([1]), hashType: 0x22, fanout: 256 }, [
        { name: '00a', cid: leaf },
      ]),
      nodeBytes({ type: TYPE.symlink, data: Buffer.from('a') }),
    ],
    promises: [ShareError],
    parse: (bytes) => decodeNode(cidOf(DAG_PB, bytes), bytes, DEFAULT_BUDGETS),
  },
  links: {
    examples: [
      Buffer.from(
        `magnet:?xt=urn:ipfs:${leaf}&dn=a&xl=5&x.ma=%2Fip4%2F192.0.2.1%2Ftcp%2F1%2Fp2p%2F${PEER}&tr=http%3A%2F%2Fa%2Fb`,
      ),
      Buffer.from(`/ipfs/${leaf}/a/b`),
      Buffer.from(`https://${leaf}.ipfs.example.org/a%20b?filename=c`),
      Buffer.from(`ipfs://${leaf}/a`),
    ],
    promises: [ShareError],
    parse: (bytes) => parseTarget(bytes.toString()),
  },
  magnets: {
    examples: [
      Buffer.from(
        `magnet:?xt=urn:btih:${'a'.repeat(40)}&xt=urn:btmh:1220${'b'.repeat(64)}&so=0-3&x.pe=192.0.2.1:5&dn=a`,
      ),
      Buffer.from(`magnet:?xt=urn:btih:${'A'.repeat(32)}&tr=udp%3A%2F%2Fa%3A1&ws=http%3A%2F%2Fa%2Fb`),
    ],
    promises: [ShareError],
    parse: (bytes) => parseMagnet(bytes.toString()),
  },
  CIDs: {
    examples: [Buffer.from(`${leaf}`), Buffer.from('QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn')],
    promises: [ShareError],
    parse: (bytes) => readCid(bytes.toString('latin1')),
  },
  'HTTP requests': {
    examples: [
      Buffer.from(`/ipfs/${leaf}/a%20b/c?format=car&dag-scope=entity&entity-bytes=0:9\n\nbytes=0-9`),
      Buffer.from(
        `/ipfs/${leaf}?filename=a&download=true\ntext/html, application/vnd.ipld.raw;q=0.5\nbytes=-5`,
      ),
      Buffer.from(`/ipfs/${leaf}\napplication/vnd.ipld.car; version=1; order=dfs; dups=y\nbytes=3-`),
    ],
    promises: [ShareError],
    parse: (bytes) => {
      const [url = '', accept = '', range = ''] = bytes.toString('latin1').split('\n')
      const asked = askedBy(url, { accept, range })
      return [asked.format, asked.segments, rangeOf(range, 10)]
    },
  },
  'answers of delegated routers': {
    examples: [
      Buffer.from(
        `{"Schema":"peer","ID":"${PEER}","Addrs":["/ip4/192.0.2.1/tcp/1"],"Protocols":["transport-bitswap"]}\n`,
      ),
      Buffer.from(`{"Providers":[{"Schema":"peer","ID":"${PEER}","Addrs":["/dns4/a.example/tcp/1/ws"]}]}`),
      Buffer.from('{"Peers":null}'),
    ],
    promises: [Error],
    parse: async (bytes) => [
      await Array.fromAsync(readAnswer(once(bytes), bytes.includes('{"P') ? 'object' : 'lines')),
    ],
  },
  'messages of the BitTorrent DHT': {
    examples: [
      Buffer.from(
        `d1:ad2:id20:${'a'.repeat(20)}9:info_hash20:${'b'.repeat(20)}e1:q9:get_peers1:t2:aa1:y1:qe`,
      ),
      Buffer.from(`d1:rd2:id20:${'a'.repeat(20)}5:token1:x6:valuesl6:abcdefee1:t2:aa1:y1:re`),
      Buffer.from('d1:eli201e5:errore1:t2:aa1:y1:ee'),
    ],
    promises: [MalformedBencode],
    parse: (bytes) => readDhtMessage(bytes, '192.0.2.1:6881'),
  },
  'replies of routers': {
    examples: [
      Buffer.from('008000000000000101020304', 'hex'),
      Buffer.from('0082000000000001102d102e000004b0', 'hex'),
      Buffer.from('0081000200000001', 'hex'),
    ],
    promises: [],
    parse: (bytes) => decodeReply(bytes),
  },
  CAR: {
    examples: filesOf('car').filter((bytes) => bytes.length < 1 << 20),
    promises: [ShareError],
    parse: async (bytes) => {
      const car = await readCar(once(bytes))
      const cids: CID[] = []
      for await (const { cid } of car.blocks) cids.push(cid)
      return cids
    },
  },
}

function filesOf(directory: string): Uint8Array[] {
  const path = join(FIXTURES, directory)
  if (!existsSync(path)) return []
  return readdirSync(path)
    .filter((name) => !name.endsWith('.md'))
    .map((name) => readFileSync(join(path, name)))
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
