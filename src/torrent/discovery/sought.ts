/** What is looked for, for whom, and how the looking goes: the words that all ways of finding peers share. */
import type { Endpoint } from '../../core/endpoint.ts'
import type { Millis } from '../../core/types.ts'
import type { Tiers } from '../announce-list.ts'
import type { InfoHashes } from '../info.ts'

/** Who we are to trackers and peers. */
export interface Identity {
  /** 20 bytes, the same as in handshakes. */
  readonly peerId: Uint8Array
  /** Where we are called. */
  readonly port: number
  /** Tells this client from others behind one address. */
  readonly key: number
}

/** In bytes; nothing is left where it is given out. */
export interface Progress {
  readonly uploaded: number
  readonly downloaded: number
  readonly left: number
}

/** A torrent that is given out or downloaded. A hybrid is one. */
export interface SoughtTorrent {
  readonly hashes: InfoHashes
  /** As the torrent or the link names them: a stranger's word. */
  readonly trackers: Tiers
  /** Those that a person named. */
  readonly named: readonly string[]
  /** Undefined until the info dictionary is known. */
  info(): { readonly isPrivate: boolean } | undefined
  progress(): Progress
  wantsPeers(): boolean
  found(endpoints: readonly Endpoint[], source: Finder): void
}

/** Ways of finding peers. */
type Finder = 'tracker' | 'dht' | 'lsd'

/** How it stands with one of them. */
export interface SourceStanding {
  readonly kind: Finder
  /** Of a tracker. */
  readonly url: string | undefined
  /** What it told the last time. */
  readonly peers: number | undefined
  readonly seeders: number | undefined
  readonly leechers: number | undefined
  /** What went wrong the last time, or what the tracker warns of. */
  readonly error: string | undefined
  /** When that was, and when it is asked again. */
  readonly at: Millis | undefined
  readonly next: Millis | undefined
}
