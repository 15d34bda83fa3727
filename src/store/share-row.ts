/** A share's row as it is kept: what the program sees of it, and what only the store needs. */
import { isProfile } from '../content/profile.ts'
import type { RootKey } from '../core/types.ts'
import type { Phase, ShareRow } from './types.ts'

/**
 * What is known of a share's partial file. `none`: not made yet. `begun`: it is ours, and what the bitmap
 * claims is there. `suspect`: the claims are to be hashed before they count.
 */
type PartialState = 'none' | 'begun' | 'suspect'

export interface KeptShare {
  readonly row: ShareRow
  /** A number that names the share in the block index; never used twice. */
  readonly slot: number
  readonly partial: PartialState
}

export const NO_LIMITS: ShareRow['limits'] = { up: 0, down: 0 }

const PHASES: readonly Phase[] = ['incomplete', 'finishing', 'complete']
const VERSIONS = ['v1', 'v2', 'hybrid'] as const
const PARTIAL_STATES: readonly PartialState[] = ['none', 'begun', 'suspect']

export function encodeShare(share: KeptShare): Uint8Array {
  return Buffer.from(JSON.stringify({ ...share.row, slot: share.slot, partial: share.partial }))
}

/** Undefined when the row does not have a share's shape. */
export function decodeShare(root: RootKey, bytes: Uint8Array): KeptShare | undefined {
  const json = parse(bytes)
  if (json === undefined || json.root !== root) return undefined
  const phase = PHASES.find((known) => known === json.phase)
  const partial = PARTIAL_STATES.find((known) => known === json.partial)
  const { name, path, slot } = json
  if (phase === undefined || partial === undefined || typeof slot !== 'number') return undefined
  if (typeof name !== 'string' || typeof path !== 'string') return undefined
  const row: ShareRow = {
    root,
    name,
    path,
    phase,
    copied: json.copied === true,
    paused: json.paused === true,
    size: amount(json.size),
    pieces: amount(json.pieces),
    entries: amount(json.entries),
    keptBytes: amount(json.keptBytes),
    keptPieces: amount(json.keptPieces),
    uploaded: amount(json.uploaded),
    downloaded: amount(json.downloaded),
    addedAt: amount(json.addedAt),
    damaged: list(json.damaged).filter(isDamage),
    limits: limits(json.limits),
    added: added(json.added),
    magnet: typeof json.magnet === 'string' ? json.magnet : undefined,
    torrents: list(json.torrents).flatMap(madeTorrent),
    trackers: list(json.trackers).filter((url) => typeof url === 'string'),
    peers: texts(json.peers),
    torrent: torrent(json.torrent),
  }
  return { row, slot, partial }
}

function parse(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(Buffer.from(bytes).toString())
    return typeof json === 'object' && json !== null ? { ...json } : undefined
  } catch {
    return undefined
  }
}

const amount = (value: unknown): number => (typeof value === 'number' && value >= 0 ? value : 0)

function limits(value: unknown): ShareRow['limits'] {
  if (typeof value !== 'object' || value === null) return NO_LIMITS
  return { up: amount('up' in value && value.up), down: amount('down' in value && value.down) }
}

function added(value: unknown): ShareRow['added'] {
  if (typeof value !== 'object' || value === null || !('profile' in value) || !('stamp' in value))
    return undefined
  const { profile, stamp } = value
  return isProfile(profile) && typeof stamp === 'string' ? { profile, stamp } : undefined
}

function torrent(value: unknown): ShareRow['torrent'] {
  if (typeof value !== 'object' || value === null) return undefined
  const json: Record<string, unknown> = { ...value }
  return {
    v1: textOr(json.v1),
    v2: textOr(json.v2),
    into: textOr(json.into),
    only: texts(json.only),
    claimed: textOr(json.claimed),
    trackers: list(json.trackers).map(texts),
    isPrivate: json.isPrivate === true,
    webSeeds: texts(json.webSeeds),
    peers: texts(json.peers),
  }
}

const textOr = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const texts = (value: unknown): string[] => list(value).filter((each) => typeof each === 'string')

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

function madeTorrent(value: unknown): ShareRow['torrents'] {
  if (typeof value !== 'object' || value === null || !('version' in value)) return []
  const version = VERSIONS.find((known) => known === value.version)
  const v1 = 'v1' in value ? value.v1 : undefined
  const v2 = 'v2' in value ? value.v2 : undefined
  if (version === undefined) return []
  return [{ version, ...(typeof v1 === 'string' && { v1 }), ...(typeof v2 === 'string' && { v2 }) }]
}

function isDamage(value: unknown): value is { file: string; reason: string } {
  if (typeof value !== 'object' || value === null || !('file' in value) || !('reason' in value)) return false
  return typeof value.file === 'string' && typeof value.reason === 'string'
}
