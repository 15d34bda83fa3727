/** A gateway over the blocks of fixtures/gateway, in memory, and requests to it as they are, headers and all. */
import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { CID } from 'multiformats/cid'
import { readCar } from '../../src/content/car-reader.ts'
import { blockKey } from '../../src/core/cid.ts'
import { ShareError } from '../../src/core/errors.ts'
import type { BlockKey } from '../../src/core/types.ts'
import { type Gateway, serveGateway } from '../../src/gateway/server.ts'
import type { BlocksOptions } from '../../src/node/types.ts'

const FIXTURES = fileURLToPath(new URL('../../fixtures/gateway/', import.meta.url))

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The body ended as it should. */
  readonly whole: boolean
}

export class Site {
  readonly blocks = new Map<BlockKey, Uint8Array>()
  readonly logged: string[] = []
  /** Options of each request's blocks, the oldest first. */
  readonly opened: BlocksOptions[] = []
  #gateway: Gateway | undefined

  static async open(): Promise<Site> {
    const site = new Site()
    for (const name of await readdir(FIXTURES)) {
      if (!name.endsWith('.car')) continue
      const car = await readCar(createReadStream(`${FIXTURES}${name}`))
      for await (const { cid, block } of car.blocks) site.put(cid, block)
    }
    const get = async (cid: CID): Promise<Uint8Array> => {
      const block = site.blocks.get(blockKey(cid))
      if (block !== undefined) return block
      throw new ShareError('NOBODY_HAS_IT', `nobody has ${cid}`, 'wait')
    }
    const blocks = (_: CID, options: BlocksOptions = {}) => {
      site.opened.push(options)
      return { node: get, block: get, [Symbol.dispose]: () => {} }
    }
    site.#gateway = await serveGateway({
      node: { blocks },
      address: { host: '127.0.0.1', port: 0 },
      log: (line) => site.logged.push(line),
    })
    return site
  }

  put(cid: CID, block: Uint8Array): void {
    this.blocks.set(blockKey(cid), block)
  }

  get url(): string {
    assert.ok(this.#gateway !== undefined)
    return this.#gateway.url
  }

  async close(): Promise<void> {
    await this.#gateway?.close()
  }

  /** `text` goes out as it is, with its characters encoded and nothing else. */
  ask(text: string, headers: OutgoingHttpHeaders = {}, method = 'GET'): Promise<Answered> {
    const { hostname, port, host } = new URL(this.url)
    const path = text.replace(/[^\x20-\x7e]/gu, encodeURIComponent)
    return new Promise((resolve, reject) => {
      const sent = request(
        { hostname, port, path, method, agent: false, headers: { host, ...headers } },
        async (answer) => {
          const { statusCode: status = 0 } = answer
          const body = await buffer(answer).catch(() => undefined)
          resolve({
            status,
            headers: answer.headers,
            body: body ?? Buffer.alloc(0),
            whole: body !== undefined,
          })
        },
      )
      sent.on('error', reject)
      sent.end()
    })
  }
}
