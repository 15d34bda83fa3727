/**
 * What every wire's hostile peer is made of. A peer does the one thing wrong that it is told to, and everything else right; it says
 * when it has done it. A wire is added by a `Wire` in a file of its own, and a line in peers.test.ts.
 */
import type { Content } from './content.ts'

/**
 * What becomes of the peer. `banned`: it, and no other, can only have done it. `shut out`: the same, before it took part in
 * any swarm, so that only the log tells of it. `suffered`: honest peers come into it too.
 */
export type Verdict = 'banned' | 'shut out' | 'suffered'

export interface HostilePeer {
  /** What to get in order to meet it: a link with its address, or, with the CID, one of its addresses beside. */
  readonly target?: string
  readonly address?: string
  /** How it stands in the list of the banned. */
  readonly id: string
  /** Resolves once it has misbehaved. */
  readonly misbehaved: Promise<void>
  stop(): Promise<void>
}

export interface Wire {
  readonly name: string
  readonly mischiefs: Readonly<Record<string, Verdict>>
  /** A peer that has this content and misbehaves in this way. */
  start(content: Content, mischief: string): Promise<HostilePeer>
}

/** Bytes so slow that nobody can wait for them. */
export const SLOW_MS = 1000
