/** `share doctor`: each check in turn, with a verdict and, where something is to be done, a next step. */
import { ShareError } from '../../core/errors.ts'
import type { CheckResult, Node } from '../types.ts'
import { isAlone } from '../ways-in/ways-in.ts'
import { type Finding, failed } from './check.ts'
import { loopTransfer } from './loop.ts'
import { clock, disk, fileHandles } from './machine-checks.ts'
import {
  dht,
  ipv6,
  type NetworkContext,
  natKind,
  portMapping,
  ports,
  reachability,
  relays,
  transports,
} from './network-checks.ts'

export interface DoctorContext extends NetworkContext {
  readonly home: string
  readonly node: Node
}

const CHECKS: readonly [string, (context: DoctorContext) => Finding | Promise<Finding>][] = [
  ['clock', ({ home, config }) => clock(home, !isAlone(config) && config.bootstrap.length > 0)],
  ['disk', ({ home }) => disk(home)],
  ['file handles', () => fileHandles()],
  ['ports', ports],
  ['transports', transports],
  ['port mapping', portMapping],
  ['router', natKind],
  ['IPv6', ipv6],
  ['DHT', dht],
  ['relays', relays],
  ['reachable', reachability],
  ['loop transfer', ({ node }) => loopTransfer(node)],
]

/** The checks, as they are done. */
export async function* examine(context: DoctorContext): AsyncGenerator<CheckResult> {
  for (const [name, check] of CHECKS) {
    try {
      yield { name, ...(await check(context)) }
    } catch (thrown) {
      const { message, hint } = ShareError.from(thrown, `check the ${name}`)
      yield { name, ...failed(message, hint) }
    }
  }
}
