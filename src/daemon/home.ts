/** The home: one directory per node, with its keys, catalogue, configuration, socket and log. */
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import envPaths from 'env-paths'
import { ShareError } from '../core/errors.ts'

/** `SHARE_HOME`, or the platform's data directory; absolute. */
export function homePath(): string {
  const named = process.env.SHARE_HOME
  return named === undefined || named === '' ? envPaths('share', { suffix: '' }).data : resolve(named)
}

/** Makes the home where there is none, for its owner alone; one that exists keeps its mode. */
export function ensureHome(home: string): void {
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new ShareError('UNREADABLE', `cannot make the home ${home}`, 'choose another with SHARE_HOME', {
      cause,
    })
  }
}
