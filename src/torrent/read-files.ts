/** The files that a stranger's info dictionary lists, the v1 list (BEP 3, BEP 47) or the v2 tree (BEP 52), with names checked. */
import { DEFAULT_BUDGETS } from '../content/budgets.ts'
import { nameProblem, type Platform } from '../content/safe-names.ts'
import {
  asDictionary,
  type BencodeDictionary,
  type BencodeValue,
  bytesAt,
  integerAt,
  listAt,
  textAt,
} from '../core/bencode.ts'
import { printable } from '../core/cid.ts'
import { badTorrent } from './bad-torrent.ts'
import { MAX_FILES, type TorrentFile } from './info.ts'
import { HASH_BYTES } from './merkle.ts'

export interface V1Files {
  readonly files: readonly TorrentFile[]
  /** The torrent is one file, not a directory. */
  readonly single: boolean
  /** Bytes of the space of pieces, pads included. */
  readonly length: number
}

/** @throws ShareError BAD_CONTENT */
export function readV1Files(info: BencodeDictionary, platform: Platform): V1Files {
  const list = listAt(info, 'files')
  if (list === undefined) {
    const file = { ...facts(info, platform), path: '', start: 0, root: undefined }
    return { files: [file], single: true, length: file.size }
  }
  // beside each file may stand a pad
  if (list.length > 2 * MAX_FILES) throw tooMany()
  const files: TorrentFile[] = []
  let length = 0
  for (const value of list) {
    const entry = dictionaryOf(value)
    const { size, symlink, executable } = facts(entry, platform)
    if (!attributes(entry).includes('p')) {
      if (files.length === MAX_FILES) throw tooMany()
      const path = pathAt(entry, 'path', platform)
      files.push({ path, size, start: length, root: undefined, symlink, executable })
    }
    length = checkedSum(length, size)
  }
  return { files, single: false, length }
}

/** A file of the tree; where it begins follows from the length of the pieces. */
export type TreeFile = Omit<TorrentFile, 'start'>

/** In the order of the tree. @throws ShareError BAD_CONTENT */
export function readFileTree(tree: BencodeDictionary, platform: Platform): TreeFile[] {
  const files: TreeFile[] = []
  let size = 0
  // as deep as the guard lets dictionaries nest
  const walk = (branch: BencodeDictionary, path: string): void => {
    for (const { name, value } of inOrder(branch)) {
      checkName(name, platform)
      const here = path === '' ? name : `${path}/${name}`
      const inside = dictionaryOf(value)
      if (!Object.hasOwn(inside, '')) walk(inside, here)
      else {
        if (Object.keys(inside).length > 1)
          throw badTorrent(`"${printable(here)}" is both a file and a directory`)
        if (files.length === MAX_FILES) throw tooMany()
        const file = treeFile(here, dictionaryOf(inside['']), platform)
        size = checkedSum(size, file.size)
        files.push(file)
      }
    }
  }
  walk(tree, '')
  return files
}

/** The decoded object has its entries in an order of its own. */
function inOrder(branch: BencodeDictionary): { name: string; value: BencodeValue }[] {
  const keyed = Object.entries(branch).map(([name, value]) => ({ name, value, key: Buffer.from(name) }))
  return keyed.sort((left, right) => Buffer.compare(left.key, right.key))
}

function treeFile(path: string, entry: BencodeDictionary, platform: Platform): TreeFile {
  const file = facts(entry, platform)
  if (attributes(entry).includes('p')) throw badTorrent(`"${printable(path)}" is a pad, which no tree has`)
  if (file.size === 0) return { ...file, path, root: undefined }
  const root = bytesAt(entry, 'pieces root')
  if (root?.length !== HASH_BYTES || root.every((byte) => byte === 0))
    throw badTorrent(`"${printable(path)}" has no root of ${HASH_BYTES} bytes`)
  return { ...file, path, root }
}

function facts(
  entry: BencodeDictionary,
  platform: Platform,
): Pick<TorrentFile, 'size' | 'symlink' | 'executable'> {
  const attr = attributes(entry)
  const executable = attr.includes('x')
  if (attr.includes('l'))
    return { size: 0, symlink: pathAt(entry, 'symlink path', platform), executable: false }
  const size = integerAt(entry, 'length')
  if (size === undefined || size < 0) throw badTorrent('a file of it has no length')
  return { size, symlink: undefined, executable }
}

const attributes = (entry: BencodeDictionary): string => textAt(entry, 'attr') ?? ''

/** Old torrents have names in another encoding, and the same in UTF-8 beside them. */
function pathAt(entry: BencodeDictionary, key: 'path' | 'symlink path', platform: Platform): string {
  const names = (listAt(entry, `${key}.utf-8`) ?? listAt(entry, key) ?? []).map((name) => {
    if (!(name instanceof Uint8Array)) throw badTorrent('a file of it has a name that is no text')
    return Buffer.from(name).toString('utf8')
  })
  if (names.length === 0) throw badTorrent('a file of it has no name')
  for (const name of names) checkName(name, platform)
  return names.join('/')
}

function checkName(name: string, platform: Platform): void {
  const problem = nameProblem(name, platform)
  if (problem !== undefined) throw badTorrent(`the name "${printable(name)}" in it ${problem}`)
}

function dictionaryOf(value: BencodeValue | undefined): BencodeDictionary {
  const dictionary = asDictionary(value)
  if (dictionary === undefined) throw badTorrent('something in its list of files is no dictionary')
  return dictionary
}

function checkedSum(size: number, more: number): number {
  if (size + more > DEFAULT_BUDGETS.size)
    throw badTorrent(`it declares more than ${DEFAULT_BUDGETS.size} bytes`)
  return size + more
}

function tooMany(): Error {
  return badTorrent(`it has more than ${MAX_FILES} files`)
}
