/** A libp2p stream without a connection: what it sends is kept, what it receives comes from the test. */
import type { Stream } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

type ReadStatus = 'readable' | 'paused' | 'closed'

export class FakeStream extends EventTarget {
  readonly protocol: string
  readonly sent: Uint8Array[] = []
  inactivityTimeout = 120_000
  status = 'open'
  readStatus: ReadStatus = 'readable'
  writeStatus = 'writable'
  remoteWriteStatus = 'writable'
  aborted: Error | undefined
  readableEnded = false
  pauses = 0
  /** While set, each send fills the stream until `drain()`. */
  narrow = false
  writableNeedsDrain = false
  readonly #unread: Uint8Array[] = []

  constructor(protocol = '/ipfs/bitswap/1.2.0') {
    super()
    this.protocol = protocol
  }

  /** As the interface wants it. */
  get asStream(): Stream {
    return this as unknown as Stream
  }

  /** All that was sent, as hex. */
  get wire(): string {
    return Buffer.concat(this.sent).toString('hex')
  }

  // --- what the code under test calls

  send(data: Uint8Array | Uint8ArrayList): boolean {
    if (this.writeStatus !== 'writable')
      throw new Error(`cannot write to a stream that is ${this.writeStatus}`)
    this.sent.push(data.subarray())
    if (this.narrow) this.writableNeedsDrain = true
    return !this.writableNeedsDrain
  }

  pause(): void {
    if (this.readStatus === 'closed') throw new Error('cannot pause a stream that is closed')
    this.readStatus = 'paused'
    this.pauses++
  }

  resume(): void {
    if (this.readStatus === 'closed') throw new Error('cannot resume a stream that is closed')
    this.readStatus = 'readable'
    this.#deliver()
  }

  async close(): Promise<void> {
    this.writeStatus = 'closed'
    if (this.remoteWriteStatus === 'closed') this.#end('closed')
  }

  abort(error: Error): void {
    this.aborted ??= error
    this.#fail('aborted', error)
  }

  // --- what the other side and the connection do

  /** All that was sent has left. */
  drain(): void {
    this.writableNeedsDrain = false
    this.dispatchEvent(new Event('drain'))
  }

  /** Part of what was sent has left: there is a drain event, but as soon as the stream goes on it is full again. */
  drainPartly(): void {
    this.writableNeedsDrain = false
    queueMicrotask(() => {
      this.writableNeedsDrain = true
    })
    this.dispatchEvent(new Event('drain'))
  }

  receive(data: Uint8Array): void {
    this.#unread.push(data)
    this.#deliver()
  }

  /** The last data, with the end of the stream in the same frame: the end is told first, as yamux does. */
  receiveLast(data: Uint8Array): void {
    this.finish()
    this.receive(data)
  }

  finish(): void {
    this.remoteWriteStatus = 'closed'
    this.dispatchEvent(new Event('remoteCloseWrite'))
    if (this.#unread.length === 0) this.#endReading()
  }

  reset(error = new Error('the stream was reset')): void {
    this.#fail('reset', error)
  }

  #deliver(): void {
    if (this.readStatus !== 'paused') {
      for (const data of this.#unread.splice(0))
        this.dispatchEvent(Object.assign(new Event('message'), { data }))
    }
    if (this.remoteWriteStatus !== 'closed' || this.#unread.length > 0) return
    this.readStatus = 'closed'
    this.#endReading()
  }

  #endReading(): void {
    if (this.readableEnded) return
    this.readableEnded = true
    this.dispatchEvent(new Event('end'))
  }

  #fail(status: string, error: Error): void {
    if (this.status !== 'open') return
    this.writeStatus = 'closed'
    this.readStatus = 'closed'
    this.#end(status, error)
  }

  #end(status: string, error?: Error): void {
    this.status = status
    this.dispatchEvent(Object.assign(new Event('close'), error === undefined ? {} : { error }))
  }
}
