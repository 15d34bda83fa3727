/** What a download is to those who start, watch and stop it, whether it goes by a CID or by a torrent. */
import type { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import type { ShareRow } from '../store/types.ts'
import type { SearchInfo } from './types.ts'

/** `checking`: what lies on the disk is read, at the start to see what is there, at the end for the CID. */
export type TransferState = 'resolving' | 'checking' | 'downloading' | 'complete' | 'stopped' | 'failed'

export interface RunningTransfer {
  readonly root: RootKey
  /** Where it was to go; the share's row knows better. */
  readonly path: string
  readonly state: TransferState
  readonly error: ShareError | undefined
  /** Bytes and pieces that are here, out of what is known so far. */
  readonly progress: { size: number; have: number; pieces: { total: number; have: number } }
  /** Those that say they have it, whether they take part by now or not. */
  readonly peers: ReadonlySet<string>
  /** How far the search for peers has come, where it is one by the CID. */
  readonly search?: SearchInfo
  /** Resolves when the bytes are in place and durable; rejects when the transfer fails or is stopped. */
  readonly done: Promise<ShareRow>
  /** From now on it goes in file order. */
  stream(): void
  /** Ends it as failed, resumably. */
  giveUp(error: ShareError): void
  /** Ends it, resumably. */
  stop(reason: ShareError): Promise<void>
}
