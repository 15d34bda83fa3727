/** A gateway that is none. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { CID } from 'multiformats/cid'
import { type Content, wrong } from './content.ts'
import { type HostilePeer, SLOW_MS, type Verdict, type Wire } from './mischief.ts'

interface Turn {
  readonly reply: ServerResponse
  readonly block: Uint8Array
  readonly other: Uint8Array
  readonly url: string
  /** How many leaves were asked for before. */
  readonly turn: number
}

interface Mischief {
  readonly verdict: Verdict
  /** Leaves that it gives as it should before; none unless it is said. */
  readonly right?: number
  answer(turn: Turn): void
}

const RIGHT = 2

const MISCHIEFS: Readonly<Record<string, Mischief>> = {
  'wrong bytes': { verdict: 'banned', answer: ({ reply, block }) => void reply.end(wrong(block)) },
  'right, then wrong': {
    verdict: 'banned',
    right: RIGHT,
    answer: ({ reply, block, turn }) => void reply.end(turn < RIGHT ? block : wrong(block)),
  },
  'another block': { verdict: 'banned', answer: ({ reply, other }) => void reply.end(other) },
  'a body without an end': { verdict: 'banned', answer: ({ reply }) => pour(reply) },
  'a body cut short': {
    verdict: 'suffered',
    answer: ({ reply, block }) => {
      reply.writeHead(200, { 'content-length': block.length })
      reply.write(block.subarray(0, 1000), () => reply.destroy())
    },
  },
  'a length of 2^53': {
    verdict: 'banned',
    answer: ({ reply }) => {
      reply.writeHead(200, { 'content-length': Number.MAX_SAFE_INTEGER })
      pour(reply)
    },
  },
  'a compression bomb': {
    verdict: 'banned',
    answer: ({ reply }) => {
      reply.writeHead(200, { 'content-encoding': 'gzip' })
      reply.end(BOMB)
    },
  },
  'a byte a second': { verdict: 'suffered', answer: ({ reply }) => void trickle(reply) },
  silence: { verdict: 'suffered', answer: () => undefined },
  elsewhere: {
    verdict: 'banned',
    answer: ({ reply, url }) => void reply.writeHead(302, { location: `${url}/elsewhere` }).end(),
  },
  errors: { verdict: 'suffered', answer: ({ reply }) => void reply.writeHead(500).end('no') },
  'headers without an end': {
    verdict: 'suffered',
    answer: ({ reply }) => {
      const { socket } = reply
      socket?.write(`HTTP/1.1 200 OK\r\n${'x-header: y\r\n'.repeat(200_000)}`)
    },
  },
  'no HTTP at all': {
    verdict: 'suffered',
    answer: ({ reply }) => void reply.socket?.end(Buffer.alloc(100_000, 7)),
  },
}

/** 64 MiB of zeros. */
const BOMB = gzipSync(Buffer.alloc(64 << 20))

export const http: Wire = {
  name: 'HTTP',
  mischiefs: Object.fromEntries(Object.entries(MISCHIEFS).map(([name, { verdict }]) => [name, verdict])),
  start,
}

async function start(content: Content, name: string): Promise<HostilePeer> {
  const mischief = MISCHIEFS[name]
  assert.ok(mischief !== undefined)
  const misbehaved = Promise.withResolvers<void>()
  let turns = 0
  let url = ''
  const server = createServer((request, reply) => {
    const [, text = ''] = /^\/ipfs\/([^/?]+)\?format=raw$/.exec(request.url ?? '') ?? []
    const cid = text === '' ? undefined : CID.parse(text)
    const block = cid && content.block(cid)
    if (cid === undefined || block === undefined) return void reply.writeHead(404).end()
    if (!content.isLeaf(cid)) return void reply.end(block)
    const turn = turns++
    mischief.answer({ reply, block, other: content.other(cid), url, turn })
    // whoever is banned for the first is not asked for a second
    if (turn >= (mischief.right ?? 0)) misbehaved.resolve()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  url = `http://127.0.0.1:${address.port}`
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
  }
  return { address: url, id: url, misbehaved: misbehaved.promise, stop }
}

/** Until the other side has enough. */
function pour(reply: ServerResponse): void {
  const chunk = Buffer.alloc(64 << 10)
  const fill = (): void => {
    while (!reply.destroyed && reply.write(chunk));
  }
  reply.on('drain', fill)
  fill()
}

async function trickle(reply: ServerResponse): Promise<void> {
  reply.writeHead(200)
  while (!reply.destroyed) {
    reply.write('x')
    await sleep(SLOW_MS, undefined, { ref: false })
  }
}
