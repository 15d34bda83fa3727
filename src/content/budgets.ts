/**
 * What a DAG from a stranger may cost. Every budget lies well above what real content needs, and low
 * enough that exhausting it takes seconds and a few hundred megabytes, not hours and everything.
 */
export interface Budgets {
  /** Bytes of one DAG node, and of one leaf: the largest block that Bitswap carries. */
  readonly nodeBytes: number
  /** Levels of directories, of shards inside one directory, and of nodes inside one file. */
  readonly depth: number
  /** Links of one file node. kubo writes 174 or 1024. */
  readonly fileLinks: number
  /** DAG nodes visited, a repeated one each time. */
  readonly nodes: number
  /** Visits of inner file nodes that were visited before. A sparse file of 1 TiB makes 1024. */
  readonly repeatedNodes: number
  /** Entries of the tree. */
  readonly entries: number
  /** Bytes of one path, as PATH_MAX. */
  readonly pathBytes: number
  /** Bytes of all paths together: 256 for each entry of a full tree. */
  readonly allPathBytes: number
  /** Distinct leaves: 4 TiB at 1 MiB. */
  readonly pieces: number
  /** Places of leaves beyond their first: 1 TiB of zeros at 1 MiB. */
  readonly repeats: number
  /** Bytes of content that the root declares; sums stay exact in a double. */
  readonly size: number
}

export const DEFAULT_BUDGETS: Budgets = {
  nodeBytes: 2 * 2 ** 20,
  depth: 64,
  fileLinks: 8192,
  nodes: 2_097_152,
  repeatedNodes: 65_536,
  entries: 1_000_000,
  pathBytes: 4096,
  allPathBytes: 256_000_000,
  pieces: 4_194_304,
  repeats: 1_048_576,
  size: 2 ** 50,
}
