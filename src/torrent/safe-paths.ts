/** The paths of a torrent's files, whose names are checked already: no two are one, and none leads through a file. */
import { DEFAULT_BUDGETS } from '../content/budgets.ts'
import { type Platform, SiblingNames } from '../content/safe-names.ts'
import { badTorrent } from './bad-torrent.ts'

/** @throws ShareError BAD_CONTENT */
export function checkPaths(files: readonly { readonly path: string }[], platform: Platform): void {
  const directories = new Directories(platform)
  let allPathBytes = 0
  for (const { path } of files) {
    if (path === '') continue
    const pathBytes = Buffer.byteLength(path)
    allPathBytes += pathBytes
    if (pathBytes > DEFAULT_BUDGETS.pathBytes || allPathBytes > DEFAULT_BUDGETS.allPathBytes)
      throw badTorrent('the paths in it are too long')
    directories.add(path)
  }
}

class Directories {
  readonly #platform: Platform
  readonly #names = new Map<string, SiblingNames>()

  constructor(platform: Platform) {
    this.#platform = platform
  }

  /** Enters a name into its directory. @throws ShareError BAD_CONTENT when it stands there already */
  add(path: string): void {
    const slash = path.lastIndexOf('/')
    this.#namesIn(path.slice(0, Math.max(0, slash))).add(path.slice(slash + 1))
  }

  #namesIn(directory: string): SiblingNames {
    const known = this.#names.get(directory)
    if (known !== undefined) return known
    if (this.#names.size > DEFAULT_BUDGETS.entries)
      throw badTorrent(`it has more than ${DEFAULT_BUDGETS.entries} directories`)
    const made = new SiblingNames(directory, this.#platform)
    this.#names.set(directory, made)
    if (directory !== '') this.add(directory)
    return made
  }
}
