/** One announce over UDP: a socket that hears the tracker alone, and the call that says what goes over it and when. */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import type { LookupAddress } from 'node:dns'
import type { Family } from '../../core/endpoint.ts'
import { reachOfIp } from '../../core/ip-reach.ts'
import type { Prng } from '../../core/prng.ts'
import { TrackerError } from '../announce.ts'
import { UdpCall, type UdpStep } from '../udp-call.ts'
import type { Clock } from './clock.ts'
import type { Announcement, Answered } from './http-announce.ts'
import { addressesOf } from './tracker-hosts.ts'

/** Unpredictable: whoever guesses one could answer for the tracker. */
const UNPREDICTABLE: Prng = { below: (bound) => randomInt(bound), unit: () => randomInt(2 ** 32) / 2 ** 32 }

/** @throws TrackerError; the signal's reason */
export async function announceByUdp({
  clock,
  ...announcement
}: Announcement & { readonly clock: Clock }): Promise<Answered> {
  const { tracker, nearest, resolve, signal } = announcement
  const url = new URL(tracker)
  const addresses = await addressesOf(url.hostname, nearest, resolve)
  signal.throwIfAborted()
  // a machine without IPv6 has IPv4, and few trackers have IPv6 alone
  const [address] = addresses.toSorted((a, b) => a.family - b.family)
  if (address === undefined) throw new TrackerError('silent', `there is no host ${url.hostname}`)
  return exchange(announcement, address, Number(url.port), `${url.pathname}${url.search}`, clock)
}

async function exchange(
  { request, signal }: Announcement,
  { address, family }: LookupAddress,
  port: number,
  path: string,
  clock: Clock,
): Promise<Answered> {
  const ofFamily: Family = family === 6 ? 6 : 4
  const call = new UdpCall({ family: ofFamily, path }, request, UNPREDICTABLE, clock.now())
  const socket = createSocket(ofFamily === 6 ? 'udp6' : 'udp4')
  const result = Promise.withResolvers<Answered>()
  let cancel = (): void => {}
  const fail = (error: unknown): void => result.reject(error)
  const onAbort = (): void => fail(signal.reason)
  const take = (step: UdpStep | undefined): void => {
    if (step?.type === 'send') socket.send(step.packet)
    if (step?.type === 'done') result.resolve({ answer: step.answer, reach: reachOfIp(address) })
    if (step?.type === 'failed') fail(step.error)
    cancel()
    if (call.due !== undefined)
      cancel = clock.after(call.due - clock.now(), () => take(call.tick(clock.now())))
  }
  socket.on('message', (packet) => take(call.received(packet, clock.now())))
  socket.on('error', (cause) =>
    fail(new TrackerError('silent', `the tracker does not answer: ${cause.message}`, { cause })),
  )
  signal.addEventListener('abort', onAbort)
  // a connected socket hears nobody else, and is told when nobody listens there
  socket.connect(port, address, () => take(call.tick(clock.now())))
  try {
    return await result.promise
  } finally {
    cancel()
    signal.removeEventListener('abort', onAbort)
    socket.close()
  }
}
