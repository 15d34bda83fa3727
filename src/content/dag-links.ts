/** The links of a block, whatever it stands for: dag-pb, dag-cbor, or raw, which has none. */
import * as dagCbor from '@ipld/dag-cbor'
import * as dagPb from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import { DAG_CBOR, DAG_PB, RAW } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { badContent } from './bad-content.ts'

/** In their order in the block. @throws ShareError BAD_CONTENT, UNSUPPORTED for another codec */
export function linksOf(cid: CID, block: Uint8Array): CID[] {
  if (cid.code === RAW) return []
  try {
    if (cid.code === DAG_PB) return dagPb.decode(block).Links.map((link) => link.Hash)
    if (cid.code === DAG_CBOR) return linksIn(dagCbor.decode(block))
  } catch (cause) {
    throw badContent(`the block ${cid} is malformed`, cause)
  }
  const hint = 'only raw, dag-pb and dag-cbor are understood'
  throw new ShareError('UNSUPPORTED', `${cid} has the codec 0x${cid.code.toString(16)}`, hint)
}

/** Links in a decoded DAG-CBOR value, outermost first come first. */
function linksIn(value: unknown): CID[] {
  const links: CID[] = []
  const stack = [value]
  while (stack.length > 0) {
    const next = stack.pop()
    const cid = CID.asCID(next)
    if (cid !== null) links.push(cid)
    else if (typeof next === 'object' && next !== null && !ArrayBuffer.isView(next))
      stack.push(...Object.values(next).toReversed())
  }
  return links
}
