/** The files of the share, as its own blocks list them: walked and checked from the CID in the link, as `share get` does. */
import type { CID } from 'multiformats/cid'
import { type Budgets, DEFAULT_BUDGETS } from '../content/budgets.ts'
import { fetchTree, treeEntries } from '../content/tree.ts'
import { Incoming } from './incoming.ts'
import type { Remote } from './remote.ts'

export interface SharedFile {
  /** Names from the root on; empty when the root is the file. */
  readonly path: string
  readonly cid: CID
  readonly size: number
}

/** What a page can show and hold; the program itself takes ten times as much. */
const BUDGETS: Budgets = { ...DEFAULT_BUDGETS, entries: 100_000, allPathBytes: 25_600_000 }

/** Blocks of a listing that wait for their turn, in bytes. */
const MOST_EARLY = 64 << 20

const LOOK_AHEAD = 64

export interface Listing {
  readonly files: readonly SharedFile[]
  /** The root is no single file. */
  readonly isDirectory: boolean
  /** Entries that are no files, and have nothing to download. */
  readonly symlinks: number
}

/** @throws Lost, ShareError BAD_CONTENT, VERIFICATION_FAILED */
export async function listShare(
  root: CID,
  remote: Pick<Remote, 'tree'>,
  signal: AbortSignal,
): Promise<Listing> {
  const incoming = new Incoming(root, remote.tree(signal), MOST_EARLY)
  // a browser mends names that its system does not take
  const options = {
    fetchNode: incoming.block,
    budgets: BUDGETS,
    lookAhead: LOOK_AHEAD,
    platform: 'linux' as const,
  }
  try {
    const entries = [...treeEntries(root, await fetchTree(root, options, signal), options)]
    const files = entries.flatMap((entry) => (entry.kind === 'file' ? [entry] : []))
    const symlinks = entries.filter(({ kind }) => kind === 'symlink').length
    return { files, isDirectory: entries[0]?.kind === 'directory', symlinks }
  } finally {
    await incoming.close()
  }
}
