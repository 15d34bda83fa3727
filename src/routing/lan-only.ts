/**
 * What the DHT of the local network sees of libp2p: peers of the world are not in it, whatever protocol they speak, so that
 * what it hears was told by neighbours.
 */
import type { Connection, PeerId } from '@libp2p/interface'
import type { kadDHT } from '@libp2p/kad-dht'
import { reachOfIp } from '../core/ip-reach.ts'
import { overridden } from '../core/overridden.ts'

type Components = Parameters<ReturnType<typeof kadDHT>>[0]

export function lanOnly(components: Components): Components {
  const { connectionManager, registrar } = components
  const near = overridden(connectionManager, {
    openStream: async (to, protocol, options) => {
      const connection = await connectionManager.openConnection(to as PeerId, options)
      if (!isNear(connection)) throw new Error(`${connection.remotePeer} is not of this network`)
      return connectionManager.openStream(to, protocol, options)
    },
  })
  const guarded = overridden(registrar, {
    handle: (protocol, handler, options) =>
      registrar.handle(
        protocol,
        (stream, connection) => {
          if (isNear(connection)) return handler(stream, connection)
          stream.abort(new Error('not of this network'))
          return undefined
        },
        options,
      ),
  })
  return overridden(components, { connectionManager: near, registrar: guarded })
}

/** Whether a peer is connected directly, from this machine or a network around it. */
function isNear({ remoteAddr }: Connection): boolean {
  const [host, ...rest] = remoteAddr.getComponents()
  if (rest.some(({ name }) => name === 'p2p-circuit')) return false
  const reach = reachOfIp(host?.value ?? '')
  return reach !== undefined && reach !== 'world'
}
