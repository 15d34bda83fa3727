/** `format=car`: the blocks by which an asker can check the content himself. */
import { createHash } from 'node:crypto'
import { writeCar } from '../content/car-writer.ts'
import { scopeBlocks } from '../content/dag-scope.ts'
import { type Answer, disposition, FOR_EVER, unlessKnown, type Work } from './answer.ts'
import type { CarFormat } from './asked.ts'

export function carAnswer(work: Work, format: CarFormat): Promise<Answer> {
  const { asked, at, blocks, signal } = work
  const { scope, bytes, duplicates } = format
  // weak: the same blocks may come in other bytes from another version of this program
  const etag = `W/"${at.cid}.car.${fingerprint([...at.way, scope, bytes?.first, bytes?.last, duplicates])}"`
  return unlessKnown(work, { etag, 'cache-control': FOR_EVER }, () => ({
    status: 200,
    headers: {
      'content-type': `application/vnd.ipld.car; version=1; order=dfs; dups=${duplicates ? 'y' : 'n'}`,
      'content-disposition': disposition('attachment', asked.filename ?? `${at.cid}.car`),
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'none',
    },
    body: () =>
      writeCar(
        [at.cid],
        scopeBlocks(at.way, {
          getBlock: blocks.block,
          scope,
          duplicates,
          signal,
          ...(bytes !== undefined && { bytes }),
        }),
      ),
  }))
}

function fingerprint(parts: readonly unknown[]): string {
  return createHash('sha256').update(parts.join(' ')).digest('base64url').slice(0, 12)
}
