/** The part of `bittorrent-dht` that is used; the package brings no types. */
declare module 'bittorrent-dht' {
  import type { EventEmitter } from 'node:events'

  interface Address {
    readonly host: string
    readonly port: number
  }

  interface DhtEvents {
    peer: [peer: Address, infoHash: Uint8Array, from: unknown]
    node: [node: Address]
    warning: [error: Error]
    error: [error: Error]
    ready: []
  }

  export default class DHT extends EventEmitter<DhtEvents> {
    constructor(options: {
      readonly socket: EventEmitter
      readonly nodeId: Buffer
      /** None: it is alone until somebody is added. */
      readonly bootstrap: readonly Address[]
      /** In ms, after which announced peers are forgotten. */
      readonly maxAge: number
      readonly maxPeers: number
      readonly maxTables: number
    })
    readonly nodeId: Buffer
    /** Asks a node without an id for it; it is remembered when it answers. */
    addNode(node: Address): void
    lookup(infoHash: Buffer, done: (error: Error | null, nodes: number) => void): void
    announce(infoHash: Buffer, port: number, done: (error: Error | null, nodes: number) => void): void
    toJSON(): { readonly nodes: readonly Address[] }
    destroy(done: () => void): void
  }
}
