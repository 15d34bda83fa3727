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
    const script = await readFile(SCRIPT, 'utf8')
    // read as text, the script finds its modules from the working directory
    const args = ['--input-type=module', '--eval', script]
    const helia = new Helia(new Running(process.execPath, args, { cwd: await installed('helia') }))
    homes.atEnd(() => helia.#process.stop())
    return helia
  }

  /** The root of a file. */
  async add(path: string): Promise<string> {
    return (await this.#ask('add', path)) as string
  }

  async get(cid: string, target: string): Promise<void> {
    await this.#ask('get', cid, target)
  }

  async connect(home: Home): Promise<void> {
    await this.#ask('connect', await home.address())
  }

  async address(): Promise<string> {
    return (await this.#about()).address
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
