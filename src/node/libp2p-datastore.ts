/**
 * Where libp2p keeps what it knows of peers and of the DHTs. Disposable: all of it can be learnt again, so a
 * database that is damaged is thrown away. libp2p closes it as the last step of its own stop.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Startable } from '@libp2p/interface'
import { LevelDatastore } from 'datastore-level'
import { errno, ShareError } from '../core/errors.ts'

const DIRECTORY = 'libp2p'

export class Libp2pDatastore extends LevelDatastore implements Startable {
  start(): void {}
  stop(): void {}

  /** Called by libp2p when everything that writes here has stopped. */
  async afterStop(): Promise<void> {
    await this.close()
  }
}

/** @throws ShareError ALREADY_RUNNING when another process holds it; DISK_FULL, UNREADABLE, … */
export async function openLibp2pDatastore(home: string): Promise<Libp2pDatastore> {
  const path = join(home, DIRECTORY)
  try {
    return await open(path)
  } catch (thrown) {
    if (!isDamage(thrown)) throw refusal(home, thrown)
  }
  try {
    await rm(path, { recursive: true, force: true })
    return await open(path)
  } catch (thrown) {
    throw refusal(home, thrown)
  }
}

async function open(path: string): Promise<Libp2pDatastore> {
  const datastore = new Libp2pDatastore(path)
  // the database first: the datastore's own open drops the code that tells a lock from damage
  await datastore.db.open({ createIfMissing: true })
  await datastore.open()
  return datastore
}

/** What Level says beneath its own "failed to open". */
function reason(thrown: unknown): { code: string | undefined; text: string } {
  const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown
  return { code: errno(cause), text: cause instanceof Error ? cause.message : String(cause) }
}

/** Damage is what a fresh start cures; a full disk or a missing permission is not. */
function isDamage(thrown: unknown): boolean {
  const { code, text } = reason(thrown)
  return code === 'LEVEL_CORRUPTION' || (code === 'LEVEL_IO_ERROR' && text.includes('No such file'))
}

function refusal(home: string, thrown: unknown): ShareError {
  const { code, text } = reason(thrown)
  if (code === 'LEVEL_LOCKED') {
    const hint = 'stop it with `share daemon stop`, or choose another home with SHARE_HOME'
    return new ShareError('ALREADY_RUNNING', `another process uses ${home}`, hint, { cause: thrown })
  }
  if (code === 'LEVEL_IO_ERROR') {
    const hint = 'check the permissions and the free space there'
    return new ShareError('IO', `could not open ${join(home, DIRECTORY)}: ${text}`, hint, { cause: thrown })
  }
  return ShareError.from(thrown instanceof Error && thrown.cause ? thrown.cause : thrown, `open ${home}`)
}
