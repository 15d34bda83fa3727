import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type ErrorCode, errno, ShareError } from '../../src/core/errors.ts'

const failing = (code: string): Error => Object.assign(new Error(`${code}: it failed`), { code })

describe('an error for a person', () => {
  /** Part of the interface: scripts rely on these. */
  const exitCodes: [code: ErrorCode, exit: number][] = [
    ['INTERNAL', 1],
    ['NOT_FOUND', 1],
    ['USAGE', 2],
    ['BAD_CID', 2],
    ['BAD_CONFIG', 2],
    ['NOBODY_HAS_IT', 3],
    ['VERIFICATION_FAILED', 4],
    ['BAD_CONTENT', 4],
    ['DAEMON_UNREACHABLE', 5],
    ['DISK_FULL', 6],
    ['TIMED_OUT', 124],
    ['INTERRUPTED', 130],
  ]
  for (const [code, exit] of exitCodes) {
    it(`${code} ends the process with ${exit}`, () =>
      assert.equal(new ShareError(code, 'what', 'do').exitCode, exit))
  }

  it('survives the way through JSON', () => {
    const error = new ShareError('DISK_FULL', 'no space', 'free some')
    const json: unknown = JSON.parse(JSON.stringify(error))
    assert.deepEqual(json, { code: 'DISK_FULL', message: 'no space', hint: 'free some' })
    const back = ShareError.fromJSON(error.toJSON())
    assert.deepEqual(
      [back.code, back.message, back.hint, back.exitCode],
      ['DISK_FULL', 'no space', 'free some', 6],
    )
  })

  it('of an unknown code, from a newer daemon, is INTERNAL', () => {
    for (const code of ['FUTURE', 'toString', '__proto__']) {
      const error = ShareError.fromJSON({ code: code as ErrorCode, message: 'm', hint: 'h' })
      assert.equal(error.code, 'INTERNAL')
      assert.equal(error.exitCode, 1)
    }
  })
})

describe('anything thrown', () => {
  const known: [errno: string, code: ErrorCode][] = [
    ['ENOENT', 'NOT_FOUND'],
    ['EACCES', 'UNREADABLE'],
    ['EPERM', 'UNREADABLE'],
    ['ENOSPC', 'DISK_FULL'],
    ['EDQUOT', 'DISK_FULL'],
    ['EEXIST', 'TARGET_EXISTS'],
    ['EROFS', 'IO'],
    ['EIO', 'IO'],
    ['EMFILE', 'IO'],
    ['EWHATEVER', 'INTERNAL'],
    ['toString', 'INTERNAL'],
  ]
  for (const [name, code] of known) {
    it(`with ${name} is ${code}`, () => {
      const thrown = failing(name)
      const error = ShareError.from(thrown)
      assert.equal(error.code, code)
      assert.equal(error.cause, thrown)
      assert.ok(error.hint.length > 0)
    })
  }

  it('by the file system keeps its path', async () => {
    const path = join(tmpdir(), 'share-there-is-no-such-file')
    const thrown = await readFile(path).catch((error: unknown) => error)
    const error = ShareError.from(thrown)
    assert.equal(error.code, 'NOT_FOUND')
    assert.ok(error.message.includes(path))
  })

  it('that is meant for a person already passes through', () => {
    const error = new ShareError('CONFLICT', 'm', 'h')
    assert.equal(ShareError.from(error), error)
  })

  it('may be no error at all', () => {
    for (const thrown of ['text', 7, null, undefined, {}]) {
      const error = ShareError.from(thrown, 'do it')
      assert.equal(error.code, 'INTERNAL')
      assert.match(error.message, /^could not do it: /)
    }
  })

  it('names its system error, if it has one', () => {
    assert.equal(errno(failing('ENOENT')), 'ENOENT')
    for (const thrown of [new Error('plain'), { code: 7 }, 'ENOENT', null, undefined])
      assert.equal(errno(thrown), undefined)
  })
})
