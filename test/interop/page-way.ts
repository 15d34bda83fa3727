/** The way between a browser and a node: HTTP passed on, and spoilt where a test says so. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'

export class Way {
  /** Paths that were asked for, the oldest first. */
  readonly asked: string[] = []
  /** Turns over a bit of this byte of each answer of blocks. */
  wrongByte: number | undefined
  /** Cuts each connection that carries blocks after so many bytes. */
  cutAfter: number | undefined
  /** Takes connections and answers nothing. */
  closed = false
  readonly #to: number
  readonly #server: Server

  private constructor(to: number) {
    this.#to = to
    this.#server = createServer((asking, answer) => this.#pass(asking, answer))
  }

  /** @param to the node's port on this machine */
  static async open(to: number): Promise<Way> {
    const way = new Way(to)
    way.#server.listen(0, '127.0.0.1')
    await once(way.#server, 'listening')
    return way
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Where each asked for blocks from. */
  get offsets(): number[] {
    return this.asked.flatMap((path) =>
      [...path.matchAll(/\/blocks\/.*[?]from=(\d+)/g)].map(([, from]) => Number(from)),
    )
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #pass(asking: IncomingMessage, answer: ServerResponse): void {
    const { url = '', headers } = asking
    this.asked.push(url)
    if (this.closed) {
      asking.socket.destroy()
      return
    }
    const going = request(
      { host: '127.0.0.1', port: this.#to, path: url, headers, agent: false },
      (coming) => {
        answer.writeHead(coming.statusCode ?? 0, coming.headers)
        const isBlocks = url.includes('/blocks/')
        let at = 0
        coming.on('data', (chunk: Buffer) => {
          const wrong = isBlocks && this.wrongByte !== undefined ? this.wrongByte - at : -1
          if (wrong >= 0 && wrong < chunk.length) chunk[wrong] = (chunk[wrong] ?? 0) ^ 1
          at += chunk.length
          if (!answer.write(chunk)) coming.pause()
          if (isBlocks && this.cutAfter !== undefined && at >= this.cutAfter) asking.socket.destroy()
        })
        answer.on('drain', () => coming.resume())
        coming.on('end', () => answer.end())
        coming.on('error', () => asking.socket.destroy())
      },
    )
    going.on('error', () => asking.socket.destroy())
    answer.on('close', () => going.destroy())
    going.end()
  }
}
