/** A file as its bytes. */
import type { CID } from 'multiformats/cid'
import { readFile } from '../content/file.ts'
import { type Answer, disposition, FOR_EVER, unlessKnown, type Work } from './answer.ts'
import { bytesAnswer } from './bytes-answer.ts'
import { SNIFFED_BYTES, typeOfBytes, typeOfName } from './media-type.ts'
import type { ByteRange } from './range.ts'

export interface ServedFile {
  readonly cid: CID
  readonly size: number
  /** What it is known by, where that says more than its CID. */
  readonly name: string | undefined
  /** Of the path that led to it: for a directory's page, the directory. */
  readonly tag: CID
}

/**
 * Pages of strangers share this gateway's address with all other content. The sandbox makes each an origin of its own:
 * it may run its scripts, and cannot read what else is here.
 */
const SANDBOX = 'sandbox allow-scripts allow-forms allow-modals allow-popups allow-downloads'

/** What a browser may run scripts of: HTML, XHTML, SVG, XML. */
const PAGE = /html|xml/

export function fileAnswer(work: Work, file: ServedFile): Promise<Answer> {
  const { asked } = work
  const etag = `"${file.tag}"`
  const reader = new Reader(file.cid, work)
  return unlessKnown(work, { etag, 'cache-control': FOR_EVER }, () =>
    bytesAnswer(asked, {
      size: file.size,
      etag,
      read: (range) => reader.read(range),
      headers: async (first) => {
        const type = await typeOf(asked.filename ?? file.name, first, reader)
        return {
          'content-type': type,
          ...(PAGE.test(type) && { 'content-security-policy': SANDBOX }),
          ...dispositionOf(work, file),
        }
      },
    }),
  )
}

/** Reads the file for its answer, and before that perhaps its beginning, whose blocks are not fetched twice. */
class Reader {
  readonly #cid: CID
  readonly #work: Work
  readonly #begun = new Map<string, Uint8Array>()

  constructor(cid: CID, work: Work) {
    this.#cid = cid
    this.#work = work
  }

  read(range: ByteRange | undefined): AsyncIterable<Uint8Array> {
    const { blocks, signal } = this.#work
    const getBlock = async (cid: CID) => this.#begun.get(cid.toString()) ?? blocks.block(cid)
    return readFile(this.#cid, { getBlock, signal, ...(range !== undefined && { range }) })
  }

  async begin(): Promise<Uint8Array> {
    const { blocks, signal } = this.#work
    const getBlock = async (cid: CID): Promise<Uint8Array> => {
      const block = await blocks.block(cid)
      this.#begun.set(cid.toString(), block)
      return block
    }
    const range = { first: 0, last: SNIFFED_BYTES - 1 }
    return Buffer.concat(await Array.fromAsync(readFile(this.#cid, { getBlock, signal, range })))
  }
}

async function typeOf(name: string | undefined, first: number, reader: Reader): Promise<string> {
  const known = name === undefined ? undefined : typeOfName(name)
  if (known !== undefined) return known
  // the beginning may be out of reach, and what lies behind it not
  return first > 0 ? 'application/octet-stream' : typeOfBytes(await reader.begin())
}

/** Said only where somebody asked for it: without, browsers show what they can. */
function dispositionOf({ asked }: Work, { cid, name }: ServedFile): Record<string, string> {
  if (asked.filename === undefined && !asked.download) return {}
  const kind = asked.download ? 'attachment' : 'inline'
  return { 'content-disposition': disposition(kind, asked.filename ?? name ?? cid.toString()) }
}
