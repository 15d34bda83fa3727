/** Where peers of a torrent may come from, and go to. A private one has its peers from its trackers alone (BEP 27). */

/** `named`: a person or a link names the peer. */
export type PeerSource = 'tracker' | 'named' | 'incoming' | 'dht' | 'pex' | 'lsd'

const OF_PRIVATE: ReadonlySet<PeerSource> = new Set(['tracker', 'named', 'incoming'])

/**
 * Whether peers of this source are dialled, and, for those by which peers are told too, whether any are told. A torrent of
 * which only the info hash is known yet may be either: it asks everybody, for how else would it become known.
 */
export function mayUse(source: PeerSource, info: { readonly isPrivate: boolean } | undefined): boolean {
  return info?.isPrivate !== true || OF_PRIVATE.has(source)
}
