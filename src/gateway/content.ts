/** From what is asked to what is answered: the path is followed, then each format has its own way. */
import { DEFAULT_BUDGETS } from '../content/budgets.ts'
import { followPath } from '../content/dag-path.ts'
import { fetchBlock, fetchNode } from '../content/dag-source.ts'
import { DAG_PB, RAW } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { type Answer, FOR_EVER, onlyVerifiable, unlessKnown, type Work } from './answer.ts'
import type { Asked } from './asked.ts'
import { bytesAnswer } from './bytes-answer.ts'
import { carAnswer } from './car.ts'
import { directoryAnswer } from './directory.ts'
import { fileAnswer } from './file.ts'
import { rawAnswer } from './raw.ts'
import { tarAnswer } from './tar.ts'

/** @throws ShareError NOT_FOUND, NOBODY_HAS_IT, TIMED_OUT, BAD_CONTENT, UNSUPPORTED */
export async function contentAnswer(
  asked: Asked,
  from: Work['blocks'],
  signal: AbortSignal,
): Promise<Answer> {
  const blocks = onlyVerifiable(from, signal)
  const at = await followPath(asked.root, asked.segments, blocks.node, signal)
  const work: Work = { asked, at, blocks, signal }
  switch (asked.format.kind) {
    case 'raw':
      return rawAnswer(work)
    case 'car':
      return carAnswer(work, asked.format)
    case 'tar':
      return tarAnswer(work)
    case 'deserialized':
      return deserialized(work)
  }
}

async function deserialized(work: Work): Promise<Answer> {
  const { asked, at, blocks } = work
  const { cid } = at
  const name = asked.segments.at(-1)
  if (cid.code === RAW) {
    const { length } = await fetchBlock(cid, blocks.block, DEFAULT_BUDGETS)
    return fileAnswer(work, { cid, size: length, name, tag: cid })
  }
  if (cid.code !== DAG_PB) {
    const message = `${cid} is neither a file nor a directory`
    throw new ShareError('UNSUPPORTED', message, 'ask for its block with ?format=raw')
  }
  const node = await fetchNode(cid, blocks.node, DEFAULT_BUDGETS, 'any')
  switch (node.kind) {
    case 'file':
      return fileAnswer(work, { cid, size: node.size, name, tag: cid })
    case 'symlink':
      return symlinkAnswer(work, node.target)
    case 'directory':
    case 'shard':
      return directoryAnswer(work, node)
  }
}

/** A symlink is not followed: its target is the answer. */
function symlinkAnswer(work: Work, target: string): Promise<Answer> {
  const bytes = Buffer.from(target)
  const etag = `"${work.at.cid}"`
  return unlessKnown(work, { etag, 'cache-control': FOR_EVER }, () =>
    bytesAnswer(work.asked, {
      size: bytes.length,
      etag,
      async *read(range) {
        yield range === undefined ? bytes : bytes.subarray(range.first, range.last + 1)
      },
      headers: () => ({ 'content-type': 'inode/symlink' }),
    }),
  )
}
