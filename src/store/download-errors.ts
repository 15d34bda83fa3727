/** What a person is told when a download cannot go on. */
import type { Bitfield } from '../core/bitfield.ts'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'

export function unfinished(have: Bitfield): ShareError {
  const message = `${have.length - have.count} pieces are missing from the partial file`
  return new ShareError(
    'VERIFICATION_FAILED',
    message,
    'run the same command again: it fetches what is missing',
  )
}

export function nodeLost(root: RootKey, partial: string): ShareError {
  const hint = `remove the share with \`share rm ${root}\`, then get it again`
  return new ShareError('IO', `part of ${partial} was lost, and so was the block it came with`, hint)
}

export function removed(root: RootKey): ShareError {
  return new ShareError('NOT_FOUND', `${root} was removed`, 'get it again if you still want it')
}

export function notOpen(root: RootKey): ShareError {
  return new ShareError(
    'INTERNAL',
    `the download of ${root} is not open`,
    'run the same command again: it resumes',
  )
}

export function notIndexed(piece: number): ShareError {
  return new ShareError('INTERNAL', `piece ${piece} is not indexed yet`, 'report this; nothing is lost')
}

export function notTheLeaf(piece: number): ShareError {
  const hint = 'this content is malformed and cannot be downloaded'
  return new ShareError(
    'BAD_CONTENT',
    `the block of piece ${piece} is not the leaf that the DAG promises`,
    hint,
  )
}

export function beingDownloaded(root: RootKey): ShareError {
  const hint = 'wait until it is done, or give it up with `share rm`'
  return new ShareError('CONFLICT', `${root} is being downloaded`, hint)
}
