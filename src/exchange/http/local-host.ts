/** Hosts that a stranger should not have us ask for just anything: this machine, and its own networks. */
import { BlockList, isIP } from 'node:net'

const LOCAL = new BlockList()
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  LOCAL.addSubnet(net, bits, 'ipv4')
for (const [net, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  LOCAL.addSubnet(net, bits, 'ipv6')

/** By its name alone: what a name leads to is not asked. */
export function isLocalHost({ hostname }: URL): boolean {
  const host = hostname.replace(/^\[|\]$/g, '')
  const family = isIP(host)
  if (family === 0)
    return host === 'localhost' || /\.(localhost|local|internal)$/.test(host) || !host.includes('.')
  return LOCAL.check(host, family === 4 ? 'ipv4' : 'ipv6')
}
