/**
 * The first start of a home. The usual port may be that of another home on this machine; then this one gets the next that
 * is free, for good: a forwarded port, and what others remember of a node, are of use as long as its port stays.
 */
import { access } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { errno } from '../core/errors.ts'
import { type Config, DEFAULT_CONFIG, DEFAULT_PORT, settingText } from '../node/config.ts'
import { loadConfig, saveConfig } from '../node/config-file.ts'
import { KEY_FILE } from '../node/identity.ts'

/** More homes than anybody has on one machine. */
const PORTS_TRIED = 64

/** All of a family's, as the defaults are. */
const EVERYWHERE = ['0.0.0.0', '::'] as const

/** The home's configuration, with a port of its own if it is new and the usual one is taken. */
export async function configAtStart(
  home: string,
  log: (line: string) => void,
  isFree: (port: number) => Promise<boolean> = isFreeHere,
): Promise<Config> {
  const config = await loadConfig(home)
  if ((await hasStarted(home)) || !isDefault(config)) return config
  const port = await firstFree(isFree)
  if (port === undefined || port === DEFAULT_PORT) return config
  const listen = config.listen.map((address) => address.replace(`/tcp/${DEFAULT_PORT}`, `/tcp/${port}`))
  const settled = { ...config, listen }
  await saveConfig(home, settled)
  log(`port ${DEFAULT_PORT} is in use; this home listens on port ${port} from now on (setting listen)`)
  return settled
}

/** A node that has a key may be known to others by its port. */
async function hasStarted(home: string): Promise<boolean> {
  return access(join(home, KEY_FILE)).then(
    () => true,
    () => false,
  )
}

const isDefault = (config: Config): boolean =>
  settingText(config, 'listen') === settingText(DEFAULT_CONFIG, 'listen')

async function firstFree(isFree: (port: number) => Promise<boolean>): Promise<number | undefined> {
  for (let port = DEFAULT_PORT; port < DEFAULT_PORT + PORTS_TRIED; port++) if (await isFree(port)) return port
  return undefined
}

async function isFreeHere(port: number): Promise<boolean> {
  for (const host of EVERYWHERE) if (await isTaken(host, port)) return false
  return true
}

/** Any other error is for the node to report: this machine may have no IPv6, say. */
function isTaken(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', (error) => resolve(errno(error) === 'EADDRINUSE'))
  server.listen({ host, port, ipv6Only: true, exclusive: true }, () => server.close(() => resolve(false)))
  return promise
}
