/** The parts of one open store, as they know each other. */
import type { BlockIndex } from './block-index.ts'
import type { Catalogue } from './catalogue.ts'
import type { FileBlocks } from './file-blocks.ts'
import type { Layouts } from './layouts.ts'
import type { NodeStore } from './node-store.ts'
import type { ShareTable } from './share-table.ts'
import type { SmallFiles } from './small-files.ts'

export interface Parts {
  readonly catalogue: Catalogue
  readonly shares: ShareTable
  readonly layouts: Layouts
  readonly index: BlockIndex
  readonly nodes: NodeStore
  readonly files: FileBlocks
  readonly smallFiles: SmallFiles
  /** The directory of what torrents keep beside their files. */
  readonly borders: string
  /** One line of what was found wrong and put right, or could not be. */
  readonly log: (line: string) => void
}
