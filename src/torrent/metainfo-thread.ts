/** A thread that reads one .torrent file after the other. */
import { answering } from '../content/hashing/calls.ts'
import { ShareError } from '../core/errors.ts'
import { type Metainfo, readMetainfo } from './metainfo.ts'
import type { ReadAnswer } from './read-aside.ts'

answering((bytes: Uint8Array): ReadAnswer => {
  try {
    return { metainfo: unshared(readMetainfo(bytes)) }
  } catch (thrown) {
    return { error: ShareError.from(thrown, 'read the torrent').toJSON() }
  }
})

/** Without views into what was read, which would go to the other thread whole with each of them. */
function unshared(metainfo: Metainfo): Metainfo {
  const layers = new Map([...metainfo.layers].map(([root, layer]) => [root, layer.slice()]))
  return { ...metainfo, infoBytes: metainfo.infoBytes.slice(), layers }
}
