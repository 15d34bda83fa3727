/** What is told to a tracker and what it answers, whatever the transport. */
import type { Endpoint } from '../core/endpoint.ts'

type AnnounceEvent = 'started' | 'stopped' | 'completed'

export interface AnnounceRequest {
  /** 20 bytes; of v2 the first 20. */
  readonly infoHash: Uint8Array
  /** 20 bytes. */
  readonly peerId: Uint8Array
  /** Where we listen. */
  readonly port: number
  /** Bytes since `started`. */
  readonly uploaded: number
  readonly downloaded: number
  /** Bytes that are missing. */
  readonly left: number
  /** Undefined for what is told in between. */
  readonly event: AnnounceEvent | undefined
  /** Peers wanted; none when stopping. */
  readonly wanted: number
  /** Tells this client from others behind one address; the same for all that we tell. */
  readonly key: number
  /** As the tracker gave it (HTTP). */
  readonly trackerId: Uint8Array | undefined
}

export interface AnnounceAnswer {
  /** Seconds until the next one, and the least that the tracker wants. */
  readonly interval: number
  readonly minInterval: number
  readonly peers: readonly Endpoint[]
  readonly seeders: number | undefined
  readonly leechers: number | undefined
  /** For a person. */
  readonly warning: string | undefined
  readonly trackerId: Uint8Array | undefined
}

/** Peers taken of one answer; trackers give 50 to 200. */
export const MOST_PEERS = 500

/** A tracker that names no interval means the usual half hour; others are held to between a minute and a day. */
const USUAL_INTERVAL_S = 1800
const LEAST_INTERVAL_S = 60
const MOST_INTERVAL_S = 86_400

/** Seconds as they can be kept to. */
export function saneInterval(seconds: number | undefined): number {
  if (seconds === undefined || seconds <= 0) return USUAL_INTERVAL_S
  return Math.min(MOST_INTERVAL_S, Math.max(LEAST_INTERVAL_S, seconds))
}

/**
 * `refused`: the tracker says no, and the message is its own. `malformed`: it makes no sense. `silent`: it does not answer.
 * `forbidden`: it is where a stranger must not send us.
 */
export class TrackerError extends Error {
  readonly code: 'refused' | 'malformed' | 'silent' | 'forbidden'

  constructor(code: TrackerError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'TrackerError'
    this.code = code
  }
}
