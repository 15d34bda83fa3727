/** What tests want of a BitTorrent client on loopback, each of which works in its own way. All end with the test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'

/** What a download was, by the client's own account. */
export interface Downloaded {
  readonly client: string
  /** Bytes of content that it counts as received. */
  readonly bytes: number
}

/** A .torrent file, or a magnet link. */
export interface Wanted {
  readonly torrent: string
  /** Where its files are put. */
  readonly directory: string
  /** The peer's port on loopback. */
  readonly port: number
}

/** A torrent whose files are there. */
export interface Given {
  readonly torrent: string
  /** What the files lie in. */
  readonly directory: string
}

/** A client that gives a torrent. */
export interface Seeder {
  readonly client: string
  readonly port: number
  /** Bytes of content that it counts as sent. */
  sent(): Promise<number>
}

/** A program of which nothing is read. */
export function startClient(t: TestContext, program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: 'ignore' })
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'close')
    child.kill('SIGKILL')
    await ended
  })
  return child
}
