/** A `share` node at a place of the small internet, used through its API as the commands do. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DaemonClient } from '../../../src/daemon/client.ts'
import type { ConfigKey } from '../../../src/node/config.ts'
import type { Running } from '../../bench/processes.ts'
import type { Host, Internet } from './internet.ts'

const SHARE = fileURLToPath(new URL('../../../bin/share.js', import.meta.url))

const LISTEN = '/ip4/0.0.0.0/tcp/4141 /ip6/::/tcp/4141'

/** The port that networks let out which pass HTTP alone. */
const HTTP = '/ip4/0.0.0.0/tcp/80/ws /ip6/::/tcp/80/ws'

export class Node {
  readonly home: string
  readonly host: Host
  readonly client: DaemonClient
  readonly #internet: Internet
  #running: Running | undefined

  private constructor(internet: Internet, host: Host, home: string) {
    this.#internet = internet
    this.host = host
    this.home = home
    this.client = new DaemonClient(home)
  }

  /** One that runs and is ready. */
  static async start(
    internet: Internet,
    host: Host,
    settings: Partial<Record<ConfigKey, string>> = {},
  ): Promise<Node> {
    const home = await mkdtemp(join(tmpdir(), 'share-net-'))
    const listen = host.kind === 'public' ? `${LISTEN} ${HTTP}` : LISTEN
    await writeFile(join(home, 'config.json'), JSON.stringify({ listen, bootstrap: 'none', ...settings }))
    await mkdir(join(home, 'files'))
    const node = new Node(internet, host, home)
    await node.start()
    return node
  }

  async start(): Promise<void> {
    const env = { SHARE_HOME: this.home }
    this.#running = this.#internet.run(this.host, process.execPath, [SHARE, 'daemon', 'run'], env)
    for (;;) {
      this.#running.check()
      const up = await this.client.info().then(
        () => true,
        () => false,
      )
      if (up) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  async stop(): Promise<void> {
    await this.#running?.stop()
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    if (this.#running === undefined) return
    process.kill(this.#running.pid, 'SIGKILL')
    await this.#running.stop()
  }

  /** Stops it and removes its files. */
  async remove(): Promise<void> {
    await this.stop()
    await rm(this.home, { recursive: true, force: true })
  }

  /** A path for a file of this node. */
  path(name: string): string {
    return join(this.home, 'files', name)
  }

  /** How this node is connected to that peer now, if it is. */
  async wayTo(peerId: string): Promise<'direct' | 'relayed' | undefined> {
    const { peers } = await this.client.peers()
    const addresses = peers.filter(({ id }) => id === peerId).map(({ address }) => address)
    if (addresses.length === 0) return undefined
    return addresses.some((address) => !address.includes('/p2p-circuit')) ? 'direct' : 'relayed'
  }
}
