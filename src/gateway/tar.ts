/** `format=tar`: a file, or a tree of them, as an archive. All names are checked before its first byte. */
import { posix } from 'node:path'
import { createTarPacker, type TarHeader } from 'modern-tar'
import type { CID } from 'multiformats/cid'
import { badContent } from '../content/bad-content.ts'
import { DEFAULT_BUDGETS } from '../content/budgets.ts'
import { fetchNode } from '../content/dag-source.ts'
import { type DirectoryEntry, listDirectory } from '../content/directory.ts'
import { readFile } from '../content/file.ts'
import { printable } from '../core/cid.ts'
import { type Answer, disposition, FOR_EVER, unlessKnown, type Work } from './answer.ts'

export function tarAnswer(work: Work): Promise<Answer> {
  const { asked, at } = work
  const etag = `W/"${at.cid}.x-tar"`
  return unlessKnown(work, { etag, 'cache-control': FOR_EVER }, async () => {
    const entries = await new Tree(work).entries(at.cid)
    return {
      status: 200,
      headers: {
        'content-type': 'application/x-tar',
        'content-disposition': disposition('attachment', asked.filename ?? `${at.cid}.tar`),
        'x-content-type-options': 'nosniff',
        'accept-ranges': 'none',
      },
      body: () => pack(entries, work),
    }
  })
}

interface Entry {
  readonly header: TarHeader
  /** Of a file. */
  readonly cid: CID | undefined
}

/** No time of making or changing is known. */
const NO_TIME = new Date(0)

/** The entries of one archive, bounded as those of a download are. */
class Tree {
  readonly #work: Work
  readonly #entries: Entry[] = []
  #pathBytes = 0

  constructor(work: Work) {
    this.#work = work
  }

  /** Everything lies under the CID's own name. @throws ShareError BAD_CONTENT */
  async entries(cid: CID): Promise<readonly Entry[]> {
    const top = cid.toString()
    const { blocks, signal } = this.#work
    for await (const entry of listDirectory(cid, blocks.node, signal)) {
      // what is no directory lists itself, without a name
      if (entry.name === '') {
        await this.#add(top, { ...entry, cid })
        return this.#entries
      }
      break
    }
    await this.#directory(top, cid, 0)
    return this.#entries
  }

  async #directory(path: string, cid: CID, depth: number): Promise<void> {
    if (depth > DEFAULT_BUDGETS.depth) throw badContent('its directories are nested too deep')
    this.#push({ name: `${path}/`, size: 0, type: 'directory' }, undefined)
    const { blocks, signal } = this.#work
    for await (const entry of listDirectory(cid, blocks.node, signal)) {
      const inside = posix.join(path, entry.name)
      checkPath(path, entry.name, inside)
      if (entry.kind === 'directory') await this.#directory(inside, entry.cid, depth + 1)
      else await this.#add(inside, entry)
    }
  }

  async #add(path: string, { cid, kind, size = 0 }: DirectoryEntry): Promise<void> {
    if (kind === 'file') return this.#push({ name: path, size, type: 'file' }, cid)
    const node = await fetchNode(cid, this.#work.blocks.node, DEFAULT_BUDGETS)
    const linkname = node.kind === 'symlink' ? node.target : ''
    this.#push({ name: path, size: 0, type: 'symlink', linkname }, undefined)
  }

  #push(header: TarHeader, cid: CID | undefined): void {
    this.#pathBytes += Buffer.byteLength(header.name)
    if (this.#entries.length >= DEFAULT_BUDGETS.entries || this.#pathBytes > DEFAULT_BUDGETS.allPathBytes)
      throw badContent('it has too many entries for an archive')
    this.#entries.push({ header: { ...header, mtime: NO_TIME }, cid })
  }
}

/** Names with slashes are not made by any tool, but there are such; what stays inside of the archive is let through. */
function checkPath(directory: string, name: string, path: string): void {
  const [top = ''] = directory.split('/', 1)
  const leaves = !path.startsWith(`${top}/`) || path === `${top}/`
  if (name !== '' && !leaves && !name.includes('\0')) return
  throw badContent(`the name "${printable(name)}" in it leads out of the archive`)
}

async function* pack(entries: readonly Entry[], { blocks, signal }: Work): AsyncGenerator<Uint8Array> {
  const { readable, controller } = createTarPacker()
  const fill = async (): Promise<void> => {
    for (const { header, cid } of entries) {
      const writer = controller.add(header).getWriter()
      if (cid !== undefined)
        for await (const bytes of readFile(cid, { getBlock: blocks.block, signal })) await writer.write(bytes)
      await writer.close()
    }
    controller.finalize()
  }
  const filling = fill().catch((thrown: unknown) => controller.error(thrown))
  yield* readable
  await filling
}
