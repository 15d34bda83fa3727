/** What the benchmark asks of a program. How peers find each other is not measured, so each is told the others' addresses. */
import type { NetworkPeer } from './network.ts'
import { output, Running } from './processes.ts'

export interface Program {
  readonly name: string
  /** What is measured, version included. */
  readonly version: string
  /** Starts a peer that has nothing, knows nobody, and does nothing yet. */
  start(place: Place): Promise<Peer>
}

export interface Peer {
  /** What others need to connect to it. */
  readonly address: string
  /** Publishes the file; returns by what the others get it. */
  add(source: string): Promise<string>
  /** Connects to the others, and is ready to get the file as `target`. */
  join(share: string, target: string, others: readonly string[]): Promise<void>
  /** To how many peers it is connected. */
  connections(): Promise<number>
  /** Resolves when the file is complete at `target`. */
  get(share: string, target: string): Promise<void>
  /** Resolves when its process has ended. */
  stop(): Promise<void>
}

/** Where a peer lives: its own namespace and directory. */
export class Place {
  readonly address: string
  readonly directory: string
  readonly #namespace: string

  constructor({ namespace, address }: NetworkPeer, directory: string) {
    this.#namespace = namespace
    this.address = address
    this.directory = directory
  }

  /** Standard output of a command that has to succeed. */
  run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    return output('ip', this.#inside(command), '', { env, cwd: this.directory })
  }

  start(command: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    return new Running('ip', this.#inside(command), { env, cwd: this.directory })
  }

  /** `ip` becomes the command, so the process id is the command's. */
  #inside(command: readonly string[]): string[] {
    return ['netns', 'exec', this.#namespace, ...command]
  }
}
