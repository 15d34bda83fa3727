/**
 * Checks pieces of a torrent against its hashes, on threads of its own: v1's SHA-1, v2's hash tree, and of a hybrid both,
 * where its piece layers are known.
 */
import { availableParallelism } from 'node:os'
import { Calls } from '../content/hashing/calls.ts'
import { Gathering } from '../content/hashing/gathering.ts'
import { LANES } from '../content/hashing/lanes.ts'
import { printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { DIGEST_THREAD, type DigestThread, type PieceDigest, type PieceJob } from '../torrent/digesting.ts'
import { SHA1_BYTES, type TorrentFile, type TorrentInfo } from '../torrent/info.ts'
import { HASH_BYTES, hashAt } from '../torrent/merkle.ts'
import { type TorrentSpace, zerosBehind } from '../torrent/torrent-space.ts'

const MOST_THREADS = 2

/** Bytes that wait for a thread before there is another one: most downloads are slower than one hashes, and a start costs time. */
const WORTH_ANOTHER = 16 << 20

/** Bytes of a piece that may wait for three others: they lie in memory meanwhile. */
const MOST_WAITING = 2 << 20

/** Ms without a piece until the threads end. */
const IDLE_MS = 10_000

interface Asked extends PromiseWithResolvers<PieceDigest> {
  readonly job: PieceJob
}

export interface CheckedPiece {
  /** The bytes that were given; their buffer was away meanwhile. */
  readonly piece: Uint8Array<ArrayBuffer>
  readonly right: boolean
  /** Digests of the leaves that the piece is cut into, one after the other; empty where they were not asked for. */
  readonly leaves: Uint8Array
}

export class PieceCheck {
  readonly #space: TorrentSpace
  readonly #layers: ReadonlyMap<string, Uint8Array>
  readonly #gathering = new Gathering<Asked>((asked) => void this.#digestAll(asked))
  #threads: DigestThread[] = []
  #idle: NodeJS.Timeout | undefined

  /** @param layers of v2, by their file's root in hex; a file whose layer is missing is checked by SHA-1 alone */
  constructor(space: TorrentSpace, layers: ReadonlyMap<string, Uint8Array>) {
    this.#space = space
    this.#layers = layers
  }

  /**
   * @param piece of the space, all of it; its buffer is gone until the answer
   * @param leaves whether the digests of a share's leaves are wanted too: the piece is cut into them from its start on
   * @throws ShareError VERIFICATION_FAILED where the hashes of v1 and v2 contradict each other
   */
  async check(index: number, piece: Uint8Array<ArrayBuffer>, leaves = false): Promise<CheckedPiece> {
    const { info } = this.#space
    const torrentPiece = this.#space.toTorrent(index)
    const file = info.version === 'v1' ? undefined : this.#fileOf(torrentPiece)
    const expected = file && this.#treeHash(file, torrentPiece)
    if (expected === undefined && info.sha1s === undefined) throw unknownLayer(file)
    const length = piece.length
    const digest = await this.#digest({
      buffer: piece,
      size: length,
      zeros: info.sha1s === undefined ? undefined : zerosBehind(this.#space, index),
      file: expected === undefined ? undefined : { size: file?.size ?? 0, pieceLength: info.pieceLength },
      leaves,
    })
    const verdicts = [
      ...(info.sha1s === undefined ? [] : [same(digest.sha1, sha1At(info.sha1s, torrentPiece))]),
      ...(expected === undefined ? [] : [same(digest.hash, expected)]),
    ]
    if (new Set(verdicts).size > 1) throw contradiction(info, torrentPiece)
    const right = verdicts.every((isRight) => isRight)
    return { piece: digest.buffer.subarray(0, length), right, leaves: digest.leaves }
  }

  end(): void {
    clearTimeout(this.#idle)
    for (const thread of this.#threads.splice(0)) void thread.end()
  }

  #digest(job: PieceJob): Promise<PieceDigest> {
    const asked: Asked = { job, ...Promise.withResolvers<PieceDigest>() }
    const { pieceLength } = this.#space.info
    this.#gathering.add(asked, job.size === pieceLength && pieceLength <= MOST_WAITING)
    return asked.promise
  }

  async #digestAll(asked: readonly Asked[]): Promise<void> {
    clearTimeout(this.#idle)
    const jobs = asked.map(({ job }) => job)
    try {
      const digests = await this.#thread().ask(
        jobs,
        jobs.map(({ buffer }) => buffer.buffer),
      )
      for (const [at, digest] of digests.entries()) asked[at]?.resolve(digest)
    } catch (thrown) {
      for (const { reject } of asked) reject(thrown)
    }
    if (this.#threads.every(({ pending }) => pending === 0))
      this.#idle = setTimeout(() => this.end(), IDLE_MS).unref()
  }

  /** The one with the least to do; another one where all have much to do. */
  #thread(): DigestThread {
    const most = Math.max(1, Math.min(MOST_THREADS, availableParallelism()))
    const idlest = this.#threads.toSorted((one, other) => one.pending - other.pending)[0]
    const waiting = (idlest?.pending ?? 0) * LANES * this.#space.info.pieceLength
    if (idlest !== undefined && (waiting < WORTH_ANOTHER || this.#threads.length >= most)) return idlest
    const thread: DigestThread = new Calls(DIGEST_THREAD)
    this.#threads.push(thread)
    return thread
  }

  /** In v2 each piece is of one file. */
  #fileOf(torrentPiece: number): TorrentFile | undefined {
    const { files, pieceLength } = this.#space.info
    let [low, high] = [0, files.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((files[middle]?.start ?? 0) <= torrentPiece * pieceLength) low = middle + 1
      else high = middle
    }
    // files without bytes begin where the next one does
    for (let at = low - 1; at >= 0; at--) if ((files[at]?.size ?? 0) > 0) return files[at]
    return undefined
  }

  /** What stands for the piece in its file's tree; undefined where the layer is not known. */
  #treeHash({ root, size, start }: TorrentFile, torrentPiece: number): Uint8Array | undefined {
    if (root === undefined) return undefined
    const { pieceLength } = this.#space.info
    if (size <= pieceLength) return root
    const layer = this.#layers.get(Buffer.from(root).toString('hex'))
    return layer && hashAt(layer, torrentPiece - start / pieceLength)
  }
}

const sha1At = (sha1s: Uint8Array, piece: number): Uint8Array =>
  sha1s.subarray(piece * SHA1_BYTES, (piece + 1) * SHA1_BYTES)

const same = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length >= Math.min(SHA1_BYTES, HASH_BYTES) && Buffer.compare(one, other) === 0

function contradiction({ name }: TorrentInfo, piece: number): ShareError {
  return new ShareError(
    'VERIFICATION_FAILED',
    `the torrent ${printable(name)} contradicts itself: its v1 and v2 hashes name different bytes for piece ${piece}`,
    'nobody can download it whole; get it from whoever made it anew',
  )
}

function unknownLayer(file: TorrentFile | undefined): ShareError {
  return new ShareError(
    'BAD_CONTENT',
    `the piece layer of ${printable(file?.path || 'the file')} is not known`,
    'get it by its magnet link: peers tell the layers then',
  )
}
