/** The UnixFS profiles of IPIP-499: the parameters that decide a CID. Both hash with SHA-256, in the balanced layout. */
export type Profile = 'unixfs-v1-2025' | 'unixfs-v0-2015'

export interface ProfileRules {
  readonly cidVersion: 0 | 1
  /** Bytes of content in a leaf. */
  readonly chunkSize: number
  /** Links of an inner file node at most. */
  readonly maxLinks: number
  /** Leaves are raw blocks; otherwise they are wrapped in dag-pb. */
  readonly rawLeaves: boolean
  /** How a directory is measured against the HAMT threshold: its whole block, or only names and CIDs. */
  readonly directorySize: 'block' | 'links'
}

export const PROFILES: Readonly<Record<Profile, ProfileRules>> = {
  'unixfs-v1-2025': {
    cidVersion: 1,
    chunkSize: 2 ** 20,
    maxLinks: 1024,
    rawLeaves: true,
    directorySize: 'block',
  },
  'unixfs-v0-2015': {
    cidVersion: 0,
    chunkSize: 2 ** 18,
    maxLinks: 174,
    rawLeaves: false,
    directorySize: 'links',
  },
}

export const isProfile = (name: unknown): name is Profile =>
  typeof name === 'string' && Object.hasOwn(PROFILES, name)

/** A directory that measures more than this many bytes is sharded, in both profiles. */
export const HAMT_THRESHOLD = 262_144
