/**
 * The configuration: every key with its default, its meaning and its check. `config.json` in the home
 * holds only what differs from the defaults.
 */

export interface Config {
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[]
  /** Multiaddrs to tell others instead of the ones found out. */
  readonly announce: readonly string[]
  /** Peers to join the public network by; empty (`none`) joins nobody. */
  readonly bootstrap: readonly string[]
  /** Bytes a second; 0 is unlimited. */
  readonly 'limits.up': number
  readonly 'limits.down': number
  /** Find peers on the local network by multicast DNS. */
  readonly 'discovery.mdns': boolean
  /** Part in the Kademlia DHTs: `auto` serves on the local network and asks on the public one. */
  readonly dht: 'auto' | 'server' | 'client' | 'off'
  /** Connections kept at most. */
  readonly 'peers.max': number
}
