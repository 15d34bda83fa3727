/** One block by its CID, from here if it is here, else from the peers of a session. */
import type { CID } from 'multiformats/cid'
import { verifyBlock } from '../content/verify.ts'
import { ShareError } from '../core/errors.ts'
import type { FetchSession } from '../exchange/bitswap/node-fetcher.ts'
import type { Store } from '../store/types.ts'
import type { BitswapWire } from './bitswap-wire.ts'

export interface BlockSource {
  readonly store: Store
  readonly bitswap: BitswapWire
  readonly session: FetchSession
  readonly signal: AbortSignal
  /** Store what came from the network: DAG nodes are needed again, and served. */
  readonly keep: boolean
}

export async function fetchBlock(
  { store, bitswap, session, signal, keep }: BlockSource,
  cid: CID,
): Promise<Uint8Array> {
  const local = await store.getBlock(cid)
  if (local !== undefined) return local
  const block = await bitswap.fetcher.fetch(cid, session, signal)
  if (!verifyBlock(cid, block))
    throw new ShareError('VERIFICATION_FAILED', `${cid} came with wrong bytes`, 'run the same command again')
  if (keep) {
    await store.putBlock(cid, block)
    bitswap.onNodeStored(cid)
  }
  return block
}
