/** Nodes that clients join the public mainline DHT by. Only a list: the configuration names it, also where no node runs. */
export const PUBLIC_DHT: readonly string[] = [
  'router.bittorrent.com:6881',
  'dht.transmissionbt.com:6881',
  'dht.libtorrent.org:25401',
]
