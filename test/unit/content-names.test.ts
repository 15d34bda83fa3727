import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  checkName,
  checkSymlink,
  nameProblem,
  type Platform,
  SiblingNames,
  symlinkProblem,
} from '../../src/content/safe-names.ts'

const names: readonly [name: string, linux: string | undefined, win32?: string][] = [
  ['file', undefined],
  ['.hidden', undefined],
  ['with space', undefined],
  ['Grüße 你好 🎈', undefined],
  ['...three dots first', undefined],
  ['console', undefined],
  ['com10', undefined],
  ['a'.repeat(255), undefined],
  ['a:b', undefined, 'is not possible on Windows'],
  ['what?', undefined, 'is not possible on Windows'],
  ['', 'is empty'],
  ['.', 'would leave its directory'],
  ['..', 'would leave its directory'],
  ['a/b', 'would leave its directory'],
  ['/etc', 'would leave its directory'],
  ['a\\b', 'would leave its directory'],
  ['C:\\x', 'would leave its directory'],
  ['nul\0', 'contains control characters'],
  ['line\nbreak', 'contains control characters'],
  ['\u007f', 'contains control characters'],
  ['\u0085', 'contains control characters'],
  ['a'.repeat(256), 'is longer than 255 bytes'],
  ['ä'.repeat(128), 'is longer than 255 bytes'],
  ['CON', undefined, 'is a device name on Windows'],
  ['aux.c', undefined, 'is a device name on Windows'],
  ['nul.tar.gz', undefined, 'is a device name on Windows'],
  ['Lpt9', undefined, 'is a device name on Windows'],
  ['com1 .txt', undefined, 'is a device name on Windows'],
  ['COM²', undefined, 'is a device name on Windows'],
  ['dot.', undefined, 'ends with a dot or a space'],
  ['space ', undefined, 'ends with a dot or a space'],
  ['\ud800', 'is not valid Unicode'],
  ['decoded badly \ufffd', 'is not valid Unicode'],
  ['\ufeffmark', 'is not valid Unicode'],
]

describe('a name', () => {
  for (const [name, linux, win32 = linux] of names) {
    test(`${JSON.stringify(name).slice(0, 40)}: ${linux ?? 'is fine'}`, () => {
      assert.equal(nameProblem(name, 'linux'), linux)
      assert.equal(nameProblem(name, 'win32'), win32)
    })
  }

  test('is refused with what and where, without its control characters', () => {
    assert.throws(() => checkName('a\u001b[31m', 'some/where', 'linux'), {
      code: 'BAD_CONTENT',
      message: 'the name "a\ufffd[31m" in "some/where" contains control characters',
    })
    assert.throws(() => checkName('..', '', 'linux'), {
      message: 'the name ".." at the top would leave its directory',
    })
  })
})

const siblings: readonly [names: readonly string[], refusedOn: readonly Platform[]][] = [
  [['a', 'b'], []],
  [
    ['a', 'a'],
    ['linux', 'darwin', 'win32'],
  ],
  [
    ['Makefile', 'makefile'],
    ['darwin', 'win32'],
  ],
  [
    ['STRASSE', 'straße'],
    ['darwin', 'win32'],
  ],
  [
    ['caf\u00e9', 'cafe\u0301'],
    ['darwin', 'win32'],
  ],
  [
    ['CAF\u00c9', 'cafe\u0301'],
    ['darwin', 'win32'],
  ],
]

test('siblings collide where the platform holds them for equal', () => {
  for (const [names, refusedOn] of siblings) {
    const refused = (['linux', 'darwin', 'win32'] as const).filter((platform) => {
      const seen = new SiblingNames('d', platform)
      try {
        for (const name of names) seen.add(name)
        return false
      } catch {
        return true
      }
    })
    assert.deepEqual(refused, refusedOn, names.join(' '))
  }
})

const symlinks: readonly [path: string, target: string, problem: string | undefined][] = [
  ['a', 'b', undefined],
  ['a', './b/c', undefined],
  ['a', '.', undefined],
  ['d/a', '..', undefined],
  ['d/a', '../b', undefined],
  ['d/e/a', '../../b/c', undefined],
  ['a', 'dangling/..dots', undefined],
  ['a', '..', 'points out of its root'],
  ['d/a', '../../b', 'points out of its root'],
  ['d/a', '.././../b', 'points out of its root'],
  ['', 'b', 'points out of its root'],
  ['d/e/a', 'link/../../b', 'has a target with `..` after a name'],
  ['d/a', '../b/..', 'has a target with `..` after a name'],
  ['a', '/etc/passwd', 'has an absolute target'],
  ['a', 'C:/x', 'has an absolute target'],
  ['a', '..\\x', 'has an absolute target'],
  ['a', '', 'has an unusable target'],
  ['a', 'b\0', 'has an unusable target'],
]

describe('a symlink', () => {
  for (const [path, target, problem] of symlinks) {
    test(`${JSON.stringify(path)} -> ${JSON.stringify(target)}: ${problem ?? 'is fine'}`, () =>
      assert.equal(symlinkProblem(path, target), problem))
  }

  test('is refused with what and where', () => {
    assert.throws(() => checkSymlink('d/a', '/etc'), {
      code: 'BAD_CONTENT',
      message: 'the symlink "d/a" -> "/etc" has an absolute target',
    })
  })
})
