/** Who sent wrong bytes, told by the bytes themselves: who wrote what, and what differs once the piece is right. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peerKey, rootKey } from '../../src/core/types.ts'
import { PieceWriters } from '../../src/node/piece-writers.ts'
import { Suspects } from '../../src/node/suspects.ts'
import { noise } from '../e2e/trees.ts'

const [A, B, C] = [peerKey('A'), peerKey('B'), peerKey('C')]
const ROOT = rootKey('R')

const shown = ({ spans }: PieceWriters): string[] =>
  spans.map(({ peer, begin, end }) => `${peer} ${begin}-${end}`)

describe('who wrote what', () => {
  it('is one span for what a peer sends in order', () => {
    const writers = new PieceWriters()
    for (let at = 0; at < 100; at++) writers.wrote(A, at * 10, at * 10 + 10)
    assert.deepEqual(shown(writers), ['A 0-1000'])
  })

  it('is the last one, of bytes that came twice', () => {
    const writers = new PieceWriters()
    writers.wrote(A, 0, 100)
    writers.wrote(B, 40, 60)
    assert.deepEqual(shown(writers), ['A 0-40', 'B 40-60', 'A 60-100'])
    writers.wrote(A, 30, 70)
    assert.deepEqual(shown(writers), ['A 0-100'])
    writers.wrote(B, 0, 100)
    assert.deepEqual(shown(writers), ['B 0-100'])
    assert.deepEqual(writers.peers, [B])
  })

  it('is in order, however they come', () => {
    const writers = new PieceWriters()
    writers.wrote(B, 50, 100)
    writers.wrote(A, 0, 25)
    writers.wrote(A, 25, 50)
    assert.deepEqual(shown(writers), ['A 0-50', 'B 50-100'])
  })
})

describe('a piece that was wrong', () => {
  const right = noise(100_000, 1)
  const wrong = (...at: number[]): Buffer => {
    const bytes = Buffer.from(right)
    for (const each of at) bytes.writeUInt8(bytes.readUInt8(each) ^ 1, each)
    return bytes
  }
  const written = [
    { peer: A, begin: 0, end: 40_000 },
    { peer: B, begin: 40_000, end: 70_000 },
    { peer: C, begin: 70_000, end: 100_000 },
  ]

  it('names who sent what differs from the right one, and nobody else', () => {
    const suspects = new Suspects()
    suspects.suspect(ROOT, 0, wrong(40_000), written)
    suspects.suspect(ROOT, 1, wrong(39_999, 99_999), written)
    assert.deepEqual(suspects.liars(ROOT, 0, right), [B])
    assert.deepEqual(suspects.liars(ROOT, 1, right), [A, C])
    assert.deepEqual(suspects.liars(ROOT, 0, right), [], 'once')
  })

  it('several times, names all who lied', () => {
    const suspects = new Suspects()
    suspects.suspect(ROOT, 0, wrong(1), written)
    suspects.suspect(ROOT, 0, wrong(50_000), written)
    assert.deepEqual(suspects.liars(ROOT, 0, right), [A, B])
  })

  it('is forgotten with its swarm', () => {
    const suspects = new Suspects()
    suspects.suspect(ROOT, 0, wrong(1), written)
    suspects.close(ROOT)
    assert.deepEqual(suspects.liars(ROOT, 0, right), [])
  })
})
