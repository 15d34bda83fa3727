/** What a daemon's log must never say: that the program did not expect what happened. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Home } from '../e2e/homes.ts'

const UNEXPECTED = /unhandled|uncaught|Node\.js v\d|^\s+at .+:\d+:\d+\)?$|INTERNAL/im

export async function logOf(home: Home): Promise<string> {
  return readFile(join(home.path, 'daemon.log'), 'utf8')
}

export async function assertCalm(home: Home): Promise<void> {
  const log = await logOf(home)
  const [line] = UNEXPECTED.exec(log) ?? []
  assert.equal(line, undefined, log.slice(-4000))
}
