/**
 * The hash trees of BEP 52. A file is cut into blocks of 16 KiB; their SHA-256 hashes are the leaves of a binary tree
 * whose missing leaves are 32 zero bytes, up to the next power of two. The tree's root names the file; the layer whose
 * nodes each stand for one piece (the piece layer) is what a torrent carries. Layers are counted from the leaves up, and
 * kept packed: 32 bytes a hash.
 */
import { sha256 } from '../content/verify.ts'

export const BLOCK_BYTES = 16 << 10
export const HASH_BYTES = 32

/** Layers that any file of 2^53 bytes can have. */
const MAX_LAYERS = 40

/** The leaves of a range that begins at the border of a block; the last block may be shorter. */
export function blockHashes(bytes: Uint8Array): Uint8Array {
  const hashes = new Uint8Array(Math.ceil(bytes.length / BLOCK_BYTES) * HASH_BYTES)
  for (let at = 0, to = 0; at < bytes.length; at += BLOCK_BYTES, to += HASH_BYTES)
    hashes.set(sha256(bytes.subarray(at, at + BLOCK_BYTES)), to)
  return hashes
}

const PADS: Uint8Array[] = [new Uint8Array(HASH_BYTES)]

/** The node that stands for nothing but missing leaves, this many layers above them. */
export function padHash(layer: number): Uint8Array {
  if (layer > MAX_LAYERS) throw new RangeError(`no tree has ${layer} layers`)
  for (let known = PADS.length; known <= layer; known++)
    PADS.push(parent(padHash(known - 1), padHash(known - 1)))
  return PADS[layer] ?? new Uint8Array(HASH_BYTES)
}

const PAIR = new Uint8Array(2 * HASH_BYTES)

function parent(left: Uint8Array, right: Uint8Array): Uint8Array {
  PAIR.set(left)
  PAIR.set(right, HASH_BYTES)
  return sha256(PAIR)
}

/** How many layers lie between `width` nodes and the one above all of them. */
export function layersAbove(width: number): number {
  return Math.ceil(Math.log2(Math.max(1, width)))
}

/**
 * The node that stands for these, which lie side by side in `layer`, the first one at the left end of its subtree.
 * @param height layers up to it; as many as it takes where not told
 */
export function subtreeRoot(
  hashes: Uint8Array,
  layer: number,
  height = layersAbove(countOf(hashes)),
): Uint8Array {
  if (countOf(hashes) > 2 ** height) throw new RangeError('more hashes than the subtree has')
  const nodes = nodesAbove(hashes, layer, height)
  return nodes.length === 0 ? padHash(layer + height) : nodes.slice(0, HASH_BYTES)
}

/** The nodes so many layers above these, which lie in `layer`, the first at the left end of one of theirs. */
export function nodesAbove(hashes: Uint8Array, layer: number, height: number): Uint8Array {
  let nodes = hashes
  for (let up = 0; up < height; up++) nodes = parentsOf(nodes, padHash(layer + up))
  return nodes
}

/** The next layer; a node without a neighbour gets `pad` as one. */
function parentsOf(nodes: Uint8Array, pad: Uint8Array): Uint8Array {
  const count = Math.ceil(countOf(nodes) / 2)
  const above = new Uint8Array(count * HASH_BYTES)
  for (let at = 0; at < count; at++) {
    const right = nodes.subarray((2 * at + 1) * HASH_BYTES, (2 * at + 2) * HASH_BYTES)
    above.set(parent(hashAt(nodes, 2 * at), right.length === 0 ? pad : right), at * HASH_BYTES)
  }
  return above
}

/** The layer in which a node stands for one piece. @param pieceLength a power of two, at least a block */
export function pieceLayer(pieceLength: number): number {
  return Math.log2(pieceLength / BLOCK_BYTES)
}

/** The layer of a file's root. */
export function rootLayer(fileSize: number): number {
  return layersAbove(Math.ceil(fileSize / BLOCK_BYTES))
}

/**
 * The root of a file by its piece layer; of a file no longer than a piece the one hash that `pieceHash` gave is the
 * root itself.
 */
export function rootOfPieces(layer: Uint8Array, fileSize: number, pieceLength: number): Uint8Array {
  if (fileSize <= pieceLength) return layer.slice(0, HASH_BYTES)
  return subtreeRoot(layer, pieceLayer(pieceLength))
}

/**
 * What stands for one piece: of a file longer than a piece the node in the piece layer, also where the last piece is
 * shorter; else the file's root, whose tree is only as high as the file needs.
 * @param blocks the leaves of the piece
 */
export function pieceHash(blocks: Uint8Array, fileSize: number, pieceLength: number): Uint8Array {
  return subtreeRoot(blocks, 0, Math.min(pieceLayer(pieceLength), rootLayer(fileSize)))
}

/**
 * The hashes that prove a subtree against the root: its uncle in `layer`, then one a layer, up to below the root.
 * @param nodes the whole of `layer`, without pads
 * @param index the subtree's own place in `layer`
 * @param count how many, at most as many as lie below the root
 */
export function proofOf(nodes: Uint8Array, layer: number, index: number, count: number): Uint8Array {
  const proof = new Uint8Array(count * HASH_BYTES)
  let [row, at] = [nodes, index]
  for (let up = 0; up < count; up++) {
    const uncle = at ^ 1
    proof.set(uncle < countOf(row) ? hashAt(row, uncle) : padHash(layer + up), up * HASH_BYTES)
    row = parentsOf(row, padHash(layer + up))
    at >>>= 1
  }
  return proof
}

/** Where a subtree leads to, by its own hash, its place in its layer, and its uncles. */
export function rootByProof(subtree: Uint8Array, index: number, proof: Uint8Array): Uint8Array {
  let node = subtree
  let at = index
  for (let up = 0; up < countOf(proof); up++) {
    const uncle = hashAt(proof, up)
    node = at % 2 === 0 ? parent(node, uncle) : parent(uncle, node)
    at = Math.floor(at / 2)
  }
  return node
}

export function countOf(hashes: Uint8Array): number {
  return hashes.length / HASH_BYTES
}

/** A view. */
export function hashAt(hashes: Uint8Array, index: number): Uint8Array {
  return hashes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES)
}
