/**
 * Hash requests of BEP 52 (messages 21 to 23), both ends. A request names `length` nodes side by side in one layer of a file's
 * tree, and how many layers of proof above them: the answer is these nodes, and then one uncle a layer. Uncles that
 * the nodes themselves give are left out: the first is the neighbour of the subtree that they make. Nodes past the
 * file's end are pads, and are sent as well.
 */
import {
  BLOCK_BYTES,
  countOf,
  HASH_BYTES,
  hashAt,
  layersAbove,
  nodesAbove,
  padHash,
  pieceLayer,
  proofOf,
  rootByProof,
  rootLayer,
  subtreeRoot,
} from './merkle.ts'

export interface HashSpan {
  readonly root: Uint8Array
  readonly baseLayer: number
  readonly index: number
  readonly length: number
  readonly proofLayers: number
}

/** A file longer than a piece, of which the tree is wanted. */
export interface HashedFile {
  readonly root: Uint8Array
  readonly size: number
}

/** Nodes of one request: libtorrent asks for so many, and answers no more. */
export const MOST_HASHES = 512

/** The requests that give a whole piece layer, proved up to the root. */
export function layerRequests({ root, size }: HashedFile, pieceLength: number): HashSpan[] {
  const baseLayer = pieceLayer(pieceLength)
  const width = 2 ** (rootLayer(size) - baseLayer)
  const length = Math.min(MOST_HASHES, width)
  const pieces = Math.ceil(size / pieceLength)
  const proofLayers = rootLayer(size) - baseLayer - 1
  return Array.from({ length: Math.ceil(pieces / length) }, (_, at) => {
    return { root, baseLayer, index: at * length, length, proofLayers }
  })
}

/** The request for all blocks of one piece, to know which of them was wrong; the piece's own hash proves it. */
export function blockRequest(root: Uint8Array, piece: number, pieceLength: number): HashSpan {
  const length = pieceLength / BLOCK_BYTES
  return { root, baseLayer: 0, index: piece * length, length, proofLayers: 0 }
}

/** How many uncles an answer has. */
function unclesOf({ length, proofLayers }: Pick<HashSpan, 'length' | 'proofLayers'>): number {
  return Math.max(0, proofLayers - layersAbove(length) + 1)
}

/**
 * The node that an answer leads to, if the peer tells the truth: compare it with the one that is known there, the root or a
 * piece's hash. Undefined for an answer of another length than the request's.
 */
export function leadsTo(span: HashSpan, hashes: Uint8Array): Uint8Array | undefined {
  if (hashes.length !== (span.length + unclesOf(span)) * HASH_BYTES) return undefined
  const height = layersAbove(span.length)
  const subtree = subtreeRoot(hashes.subarray(0, span.length * HASH_BYTES), span.baseLayer, height)
  return rootByProof(subtree, span.index / span.length, hashes.subarray(span.length * HASH_BYTES))
}

/** Why a request of a stranger cannot be answered, by its numbers alone; undefined when it can. */
export function requestProblem(span: HashSpan, size: number, pieceLength: number): string | undefined {
  const { baseLayer, index, length, proofLayers } = span
  const top = rootLayer(size)
  if (baseLayer !== 0 && baseLayer !== pieceLayer(pieceLength))
    return 'a layer that is neither blocks nor pieces'
  if (length < 2 || length > MOST_HASHES || !Number.isInteger(Math.log2(length))) return `${length} hashes`
  if (index % length !== 0) return 'an index between two subtrees'
  const width = 2 ** (top - baseLayer)
  if (baseLayer >= top || index + length > width) return 'hashes past the end of the tree'
  return proofLayers > top - baseLayer - 1 ? `${proofLayers} layers of proof` : undefined
}

/** The pieces whose blocks are needed to answer; none for a request in the piece layer. */
export function piecesNeeded(
  span: HashSpan,
  size: number,
  pieceLength: number,
): { first: number; count: number } {
  if (span.baseLayer !== 0) return { first: 0, count: 0 }
  const first = Math.floor((span.index * BLOCK_BYTES) / pieceLength)
  const end = Math.min(
    Math.ceil(size / pieceLength),
    Math.ceil(((span.index + span.length) * BLOCK_BYTES) / pieceLength),
  )
  return { first, count: Math.max(0, end - first) }
}

/**
 * The answer to a request without a problem.
 * @param layer the file's piece layer; of a file no longer than a piece its root
 * @param blocks the leaves of `piecesNeeded`, without pads
 */
export function answerTo(
  span: HashSpan,
  file: {
    readonly size: number
    readonly pieceLength: number
    readonly layer: Uint8Array
    readonly blocks: Uint8Array
  },
): Uint8Array {
  const { size, pieceLength, layer, blocks } = file
  const { first } = piecesNeeded(span, size, pieceLength)
  const begin = span.baseLayer === 0 ? span.index - first * (pieceLength / BLOCK_BYTES) : span.index
  const nodes = padded(span.baseLayer === 0 ? blocks : layer, begin, span)
  return Buffer.concat([nodes, proofFor(span, file)])
}

function padded(nodes: Uint8Array, begin: number, { baseLayer, length }: HashSpan): Uint8Array {
  const answer = new Uint8Array(length * HASH_BYTES)
  for (let at = 0; at < length; at++)
    answer.set(begin + at < countOf(nodes) ? hashAt(nodes, begin + at) : padHash(baseLayer), at * HASH_BYTES)
  return answer
}

/** The uncles below the piece layer come from the blocks, those from it on from the layer. */
function proofFor(
  span: HashSpan,
  {
    size,
    pieceLength,
    layer,
    blocks,
  }: { size: number; pieceLength: number; layer: Uint8Array; blocks: Uint8Array },
): Uint8Array {
  const wanted = unclesOf(span)
  if (wanted === 0) return new Uint8Array(0)
  const from = span.baseLayer + layersAbove(span.length)
  const at = span.index / span.length
  const pieces = Math.min(pieceLayer(pieceLength), rootLayer(size))
  const below = Math.min(wanted, Math.max(0, pieces - from))
  const { first } = piecesNeeded(span, size, pieceLength)
  const subtrees = nodesAbove(blocks, 0, from)
  const inPiece =
    below === 0
      ? new Uint8Array(0)
      : proofOf(subtrees, from, at - (first * (pieceLength / BLOCK_BYTES)) / 2 ** from, below)
  const row = Math.max(from, pieces)
  const above = proofOf(
    nodesAbove(layer, pieces, row - pieces),
    row,
    Math.floor(at / 2 ** (row - from)),
    wanted - below,
  )
  return Buffer.concat([inPiece, above])
}
