/** Helia on loopback, in a process of its own. */
import { readFile } from 'node:fs/promises'
import type { TestContext } from 'node:test'
import { Running } from '../bench/processes.ts'
import type { Home, Homes } from '../e2e/homes.ts'
import { installed } from './installed.ts'

const SCRIPT = new URL('helia_peer.mjs', import.meta.url)

/** Helia's own count of blocks that came and went, and of the bytes that went. */
export interface HeliaCount {
  readonly received: number
  readonly sent: number
  readonly sentBytes: number
}

export class Helia {
  readonly #process: Running

  private constructor(running: Running) {
    this.#process = running
  }

  static async start(homes: Homes): Promise<Helia> {
    const helia = await Helia.startAt()
    homes.atEnd(() => helia.stop())
    return helia
  }

  /** At an address of loopback. */
  static async startAt(address = '127.0.0.1'): Promise<Helia> {
    const script = await readFile(SCRIPT, 'utf8')
    // read as text, the script finds its modules from the working directory
    const args = ['--input-type=module', '--eval', script]
    const surroundings = { cwd: await installed('helia'), env: { LISTEN: address } }
    return new Helia(new Running(process.execPath, args, surroundings))
  }

  get pid(): number {
    return this.#process.pid
  }

  stop(): Promise<void> {
    return this.#process.stop()
  }

  /** The root of a file. */
  async add(path: string): Promise<string> {
    return (await this.#ask('add', path)) as string
  }

  async get(cid: string, target: string): Promise<void> {
    await this.#ask('get', cid, target)
  }

  async connect(home: Home): Promise<void> {
    await this.connectTo(await home.address())
  }

  async connectTo(address: string): Promise<void> {
    await this.#ask('connect', address)
  }

  /** To how many peers it is connected. */
  connections(): Promise<number> {
    return this.#ask('connections') as Promise<number>
  }

  async address(): Promise<string> {
    return (await this.#about()).address
  }

  async version(): Promise<string> {
    return (await this.#about()).version
  }

  /** Prints Helia's version and its own count. */
  async tell(t: TestContext): Promise<HeliaCount> {
    const [{ version }, count] = [await this.#about(), (await this.#ask('count')) as HeliaCount]
    t.diagnostic(
      `Helia ${version} counts ${count.received} blocks received, ${count.sent} (${count.sentBytes} bytes) sent`,
    )
    return count
  }

  #about(): Promise<{ version: string; address: string }> {
    return this.#ask('about') as Promise<{ version: string; address: string }>
  }

  async #ask(...request: unknown[]): Promise<unknown> {
    const { answer, error } = JSON.parse(await this.#process.ask(JSON.stringify(request))) as {
      answer?: unknown
      error?: string
    }
    if (error !== undefined) throw new Error(`Helia, ${JSON.stringify(request)}: ${error}`)
    return answer
  }
}
