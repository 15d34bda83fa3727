/** One provider record on one DHT: stored with the peers nearest to its key, then looked up to see that it is found. */
import { setTimeout as pause } from 'node:timers/promises'
import type { PeerId } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import { type Dht, hasPeers } from './dht.ts'

/**
 * `nobody`: no peer took the record. `sent`: some did, but a lookup did not show it in time.
 * `confirmed`: another peer names us as a provider.
 */
export type Outcome = 'nobody' | 'sent' | 'confirmed'

/** Whether a lookup has to show the record, or it is enough to have sent it: that takes half as long. */
export type Care = 'confirm' | 'send'

/**
 * Waits before each lookup, in ms. A record is sent without an answer, so the first lookup may overtake it; the
 * others allow for a peer that is busy.
 */
const CONFIRM_AFTER = [20, 200, 1_000]

/** Throws only when the signal fires. */
export async function publish(
  dht: Dht,
  cid: CID,
  self: PeerId,
  care: Care,
  signal: AbortSignal,
): Promise<Outcome> {
  const sent = await store(dht, cid, signal)
  if (sent === 0) return 'nobody'
  if (care === 'send') return 'sent'
  for (const wait of CONFIRM_AFTER) {
    await pause(wait, undefined, { signal })
    if (await shown(dht, cid, self, signal)) return 'confirmed'
  }
  return 'sent'
}

/** Stops the renewal of a record. What others hold of it expires with them. */
export async function retract(dht: Dht, cid: CID): Promise<void> {
  await dht.kad.cancelReprovide(cid)
}

/** How many peers the record was sent to. kad-dht also notes it for its own renewal, even when there is nobody. */
async function store(dht: Dht, cid: CID, signal: AbortSignal): Promise<number> {
  let sent = 0
  try {
    for await (const event of dht.kad.provide(cid, { signal })) {
      if (event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER') sent++
    }
  } catch {
    signal.throwIfAborted()
  }
  return sent
}

async function shown(dht: Dht, cid: CID, self: PeerId, signal: AbortSignal): Promise<boolean> {
  if (!hasPeers(dht)) return false
  try {
    for await (const event of dht.kad.findProviders(cid, { signal })) {
      // the first answer is our own store's; PROVIDER events leave out whom it named, so look at what peers said
      if (event.name !== 'PEER_RESPONSE' || event.from.equals(self)) continue
      if (event.providers.some((provider) => provider.id.equals(self))) return true
    }
  } catch {
    signal.throwIfAborted()
  }
  return false
}
