/** A libtorrent that finds its peers by itself: `libtorrent_find.py` as a process, asked line by line. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installed } from './installed.ts'

const SCRIPT = fileURLToPath(new URL('libtorrent_find.py', import.meta.url))

export interface Added {
  readonly port: number
  /** Addresses of those that it was connected to meanwhile. */
  readonly peers: readonly string[]
  readonly payload: number
}

export class Finder {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  #errors = ''

  private constructor(child: ChildProcess) {
    assert.ok(child.stdout && child.stderr)
    this.#child = child
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    child.stderr.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString()
    })
  }

  /** Ends with the test. @param before what the process is started by, such as `ip netns exec NAME` */
  static async open(
    t: TestContext,
    settings: Readonly<Record<string, unknown>>,
    before: readonly string[] = [],
  ): Promise<Finder> {
    const modules = await installed('libtorrent')
    const [program = 'python3', ...args] = [...before, 'python3', SCRIPT, JSON.stringify(settings)]
    const child = spawn(program, args, { stdio: 'pipe', env: { ...process.env, PYTHONPATH: modules } })
    t.after(() => child.kill('SIGKILL'))
    return new Finder(child)
  }

  /** Sessions that take part in the DHT and in nothing else. */
  nodes(count: number, bootstrap: string): Promise<{ version: string; ports: number[] }> {
    return this.#ask({ nodes: count, bootstrap })
  }

  /** Resolves when it has looked at the file, and announces it. */
  seed(torrent: string, directory: string): Promise<Added> {
    return this.#ask({ seed: torrent, directory })
  }

  /** Resolves when all of it has come. */
  get(torrent: string, directory: string): Promise<Added> {
    return this.#ask({ get: torrent, directory })
  }

  async #ask<T>(request: object): Promise<T> {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`)
    const line = await this.#lines.next()
    assert.ok(line.done !== true, `libtorrent ended: ${this.#errors}`)
    return JSON.parse(line.value) as T
  }
}
