import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLimit, parseRange, parseTimeout } from '../../src/cli/arguments.ts'
import { progressLine } from '../../src/cli/progress.ts'
import { statusText } from '../../src/cli/status-text.ts'
import { ShareError } from '../../src/core/errors.ts'
import type { PeerInfo } from '../../src/node/types.ts'
import { CID, shareInfo } from './fake-node.ts'

const PEER: PeerInfo = {
  id: 'liar',
  wire: 'share',
  address: undefined,
  via: undefined,
  problem: undefined,
  pieces: 3,
  choked: false,
  interested: true,
  choking: false,
  wanted: true,
  snubbed: true,
  uploaded: 4,
  downloaded: 5,
  rates: { up: 1, down: 2 },
}

const isUsage = (error: unknown): boolean => error instanceof ShareError && error.code === 'USAGE'

test('ranges, both ends included', () => {
  const table: [string, object][] = [
    ['0-0', { first: 0, last: 0 }],
    ['5-9', { first: 5, last: 9 }],
    ['100-', { first: 100 }],
  ]
  for (const [text, range] of table) assert.deepEqual(parseRange(text), range)
  for (const text of ['', '-', '-5', '9-5', '1', '1-2-3', 'a-b', '1.5-2', '9999999999999999-']) {
    assert.throws(() => parseRange(text), isUsage, text)
  }
})

test('timeouts', () => {
  const table: [string, number][] = [
    ['5', 5],
    ['0.5', 0.5],
    ['2m', 120],
  ]
  for (const [text, seconds] of table) assert.equal(parseTimeout(text), seconds)
  for (const text of ['', '0', '-1', 'soon', '99999999'])
    assert.throws(() => parseTimeout(text), isUsage, text)
})

test('limits', () => {
  const table: [string, number][] = [
    ['40MB', 40_000_000],
    ['1.5k', 1_500],
    ['0', 0],
    ['none', 0],
    ['unlimited', 0],
  ]
  for (const [text, rate] of table) assert.equal(parseLimit(text), rate)
  for (const text of ['', '-1', 'fast', '40Mbit']) assert.throws(() => parseLimit(text), isUsage, text)
})

test('the line behind the progress bar', () => {
  const table: [Parameters<typeof progressLine>[0], string][] = [
    [
      { done: 12e6, total: 40e6, rate: 3.5e6, detail: '3 peers' },
      '12 MB of 40 MB  3.5 MB/s  3 peers  8s left',
    ],
    [{ done: 0, total: 40e6, rate: 0, detail: '0 peers' }, '0 B of 40 MB  0 B/s  0 peers'],
    [{ done: 5, total: 10, rate: 1, detail: '' }, '5 B of 10 B  1 B/s  5s left'],
  ]
  for (const [state, line] of table) assert.equal(progressLine(state), line)
})

test('the status of shares in each condition', () => {
  const table: [Parameters<typeof shareInfo>[0], string[]][] = [
    [{}, ['hello.txt', `  ${CID}`, '  seeding  100 B  up 1 B/s (5 B)  down 0 B/s (0 B)  0 peers']],
    [
      { state: 'downloading', have: 39, rates: { up: 0, down: 10 }, downloaded: 39 },
      [
        'hello.txt',
        `  ${CID}`,
        '  downloading  39 B of 100 B (39 %, 6s left)  up 0 B/s (5 B)  down 10 B/s (39 B)  0 peers',
      ],
    ],
    [
      { limits: { up: 2e6, down: 0 }, peers: [PEER, { ...PEER, id: '12D3KooWAbCdEfGhIj', wire: 'bitswap' }] },
      [
        'hello.txt',
        `  ${CID}`,
        '  seeding  100 B  up 1 B/s (5 B)  down 0 B/s (0 B)  2 peers',
        '  limited: up 2 MB/s',
        '  share     liar  3 of 1 pieces  up 1 B/s  down 2 B/s  we are interested, it is interested, snubbed',
        '  bitswap   12D3KooW…EfGhIj  3 of 1 pieces  up 1 B/s  down 2 B/s  we are interested, it is interested, snubbed',
      ],
    ],
    [
      { state: 'resolving', size: 0, have: 0, name: 'evil\u001b[2J\u202ename' },
      [
        'evil\ufffd[2J\ufffdname',
        `  ${CID}`,
        '  resolving  size not known yet  up 1 B/s (5 B)  down 0 B/s (0 B)  0 peers',
      ],
    ],
    [
      {
        state: 'damaged',
        damaged: [{ file: 'a\nb', reason: 'changed' }],
        banned: [{ id: 'liar', reason: 'sent a bad piece' }],
        error: { code: 'IO', message: 'disk error', hint: 'check it' },
      },
      [
        'hello.txt',
        `  ${CID}`,
        '  damaged  100 B  up 1 B/s (5 B)  down 0 B/s (0 B)  0 peers',
        '  damaged: a\ufffdb: changed',
        '  banned: liar: sent a bad piece',
        '  disk error; check it',
      ],
    ],
  ]
  for (const [change, lines] of table) assert.deepEqual(statusText([shareInfo(change)]).split('\n'), lines)
  assert.match(statusText([]), /nothing is shared/)
})
