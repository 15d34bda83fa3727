import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  exactRate,
  formatBytes,
  formatDuration,
  formatRate,
  parseBytes,
  parseDuration,
  parseRate,
} from '../../src/core/units.ts'

test('bytes as people write them', () => {
  const table: [string, number | undefined][] = [
    ['0', 0],
    ['512', 512],
    ['512b', 512],
    ['40MB', 40_000_000],
    ['40mb', 40_000_000],
    ['40M', 40_000_000],
    [' 40 MB ', 40_000_000],
    ['1.5k', 1500],
    ['1KiB', 1024],
    ['2 GiB', 2_147_483_648],
    ['1TB', 1_000_000_000_000],
    ['', undefined],
    ['MB', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    ['.5k', undefined],
    ['40Mbit', undefined],
    ['40MB/s', undefined],
    ['99999TB', undefined],
  ]
  for (const [text, bytes] of table) assert.equal(parseBytes(text), bytes, text)
})

test('rates, where 0 and unlimited are no limit', () => {
  const table: [string, number | undefined][] = [
    ['40MB', 40_000_000],
    ['40MB/s', 40_000_000],
    ['1000', 1000],
    ['0', 0],
    ['unlimited', 0],
    ['Unlimited', 0],
    ['fast', undefined],
    ['40MB/h', undefined],
  ]
  for (const [text, rate] of table) assert.equal(parseRate(text), rate, text)
})

test('an exact rate reads back as itself', () => {
  const table: [number, string][] = [
    [0, 'unlimited'],
    [40_000_000, '40MB'],
    [1_500_000, '1500kB'],
    [2_000_000_000, '2GB'],
    [1234, '1234'],
  ]
  for (const [rate, text] of table) {
    assert.equal(exactRate(rate), text)
    assert.equal(parseRate(text), rate)
  }
})

test('durations in seconds', () => {
  const table: [string, number | undefined][] = [
    ['30', 30],
    ['1.5', 1.5],
    ['30s', 30],
    ['500ms', 0.5],
    ['5m', 300],
    ['2h', 7200],
    ['1d', 86_400],
    ['0', 0],
    ['', undefined],
    ['-5', undefined],
    ['soon', undefined],
    ['1h30m', undefined],
  ]
  for (const [text, seconds] of table) assert.equal(parseDuration(text), seconds, text)
})

test('bytes and rates for reading', () => {
  const table: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [1500, '1.5 kB'],
    [99_949, '99.9 kB'],
    [99_950, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1 MB'],
    [40_000_000, '40 MB'],
    [1_073_741_824, '1.1 GB'],
    [3e18, '3000 PB'],
  ]
  for (const [bytes, text] of table) {
    assert.equal(formatBytes(bytes), text)
    assert.equal(formatRate(bytes), `${text}/s`)
  }
})

test('durations for reading', () => {
  const table: [number, string][] = [
    [0, '0s'],
    [59.4, '59s'],
    [59.6, '1m 0s'],
    [200, '3m 20s'],
    [7500, '2h 5m'],
    [273_600, '3d 4h'],
  ]
  for (const [seconds, text] of table) assert.equal(formatDuration(seconds), text)
})
