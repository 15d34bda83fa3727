/** What the benchmark asks of a program. How peers find each other is not measured, so each is told the others' addresses. */
import type { NetworkPeer } from './network.ts'
import { output, Running } from './processes.ts'

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: string[]]

/** What a peer may have to do: publish or download, one file or a directory of so many, from so many. */
export interface Task {
  readonly does: 'get' | 'add'
  readonly files: number | undefined
  readonly seeders: number
}

/** What a peer is started for. */
export type Role = 'seeder' | 'leecher'

export interface Program {
  readonly name: string
  /** What is measured, version included. */
  readonly version: string
  /** Whether it can do that, where it cannot do everything. */
  readonly able?: (task: Task) => boolean
  /** Starts a peer that has nothing, knows nobody, and does nothing yet. */
  start(place: Place, role?: Role): Promise<Peer>
}

export interface Peer {
  /** What others need to connect to it. */
  readonly address: string
  /** Of its process, where it has one. */
  readonly pid: number | undefined
  /** Publishes the file; returns by what the others get it. */
  add(source: string): Promise<string>
  /** Connects to the others, and is ready to get the file as `target`. */
  join(share: string, target: string, others: readonly string[]): Promise<void>
  /** To how many peers it is connected. */
  connections(): Promise<number>
  /** Resolves when the file is complete at `target`. */
  get(share: string, target: string): Promise<void>
  /** Bytes of content that came from each of the others, by what it knows them by: peer ids that are given, or hosts. */
  sources?(ids: readonly string[]): Promise<ReadonlyMap<string, number>>
  /** Resolves when its process has ended. */
  stop(): Promise<void>
}

/** Where a peer lives: an address and a directory of its own, and a namespace where the network is shaped. */
export class Place {
  readonly address: string
  readonly directory: string
  readonly #namespace: string | undefined

  constructor({ namespace, address }: Partial<NetworkPeer> & { address: string }, directory: string) {
    this.#namespace = namespace
    this.address = address
    this.directory = directory
  }

  /** Standard output of a command that has to succeed. */
  run(command: Command, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const [program, ...args] = this.#inside(command)
    return output(program, args, '', { env, cwd: this.directory })
  }

  start(command: Command, env: Readonly<Record<string, string>> = {}): Running {
    const [program, ...args] = this.#inside(command)
    return new Running(program, args, { env, cwd: this.directory })
  }

  /** `ip` becomes the command, so the process id is the command's. */
  #inside(command: Command): Command {
    return this.#namespace === undefined ? command : ['ip', 'netns', 'exec', this.#namespace, ...command]
  }
}
