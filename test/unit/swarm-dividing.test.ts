/** Large pieces, of peers that are asked: several send one together. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MIB, only, type Scenario, scenario, without } from './swarm-scenario.ts'

const SIZE = 16 * MIB

const large = (options: { pieces?: number; size?: number } = {}): Scenario =>
  scenario({ pieces: 1, size: SIZE, wire: 'bittorrent', ...options })

const requests = (lines: readonly string[]): string[] => only(lines, 'request', 'cancel')

/** A sends the first half while B sends the other one; both end together. */
function comesOfBoth(swarm: Scenario): void {
  swarm.after(1_000).arrived('A', 0, { length: 8 * MIB - 1 })
  swarm.arrived('B', 0, { begin: 8 * MIB })
  swarm.arrived('A', 0, { begin: 8 * MIB - 1, length: 1 })
}

describe('a large piece', () => {
  it('comes from two: who joins takes the second half', () => {
    const swarm = large()
    assert.deepEqual(requests(swarm.drawn('A #')), ['request A 0'])
    assert.deepEqual(requests(swarm.drawn('B #')), [
      `cancel A 0 ${8 * MIB}+${8 * MIB}`,
      `request B 0 ${8 * MIB}+${8 * MIB}`,
    ])
    comesOfBoth(swarm)
    assert.deepEqual(
      only(
        swarm.actions.map(({ type }) => type),
        'verify',
      ),
      ['verify-and-store'],
    )
  })

  it('comes from four at most', () => {
    const swarm = large()
    swarm.drawn('A #\nB #\nC #\nD #')
    assert.deepEqual(requests(swarm.drawn('E #')), [])
  })

  it('is finished before another is begun', () => {
    const swarm = large({ pieces: 2 })
    const [first = ''] = requests(swarm.drawn('A ##'))
    const piece = first.split(' ')[2]
    assert.deepEqual(requests(swarm.drawn('B ##')), [
      `cancel A ${piece} ${8 * MIB}+${8 * MIB}`,
      `request B ${piece} ${8 * MIB}+${8 * MIB}`,
    ])
  })

  it('is divided by how fast they are', () => {
    const swarm = large({ pieces: 3 })
    const [first = ''] = requests(swarm.drawn('A ##.'))
    const piece = Number(first.split(' ')[2])
    // a sixteenth of a second for a MiB, four times as long for B
    for (let at = 0; at < 16; at++) swarm.after(62.5).arrived('A', piece, { begin: at * MIB, length: MIB })
    swarm.verified(piece)
    swarm.stored(piece)
    swarm.drawn('B ..#')
    for (let at = 0; at < 16; at++) swarm.after(250).arrived('B', 2, { begin: at * MIB, length: MIB })
    swarm.verified(2)
    swarm.stored(2)
    const [, taken] = requests(swarm.has('B', 1 - piece))
    const [, begin = 0, length = 0] = /(\d+)\+(\d+)/.exec(taken ?? '')?.map(Number) ?? []
    assert.ok(length < SIZE / 2 && begin + length === SIZE, taken)
  })

  it('is divided again when a part is done sooner', () => {
    const swarm = large()
    swarm.drawn('A #\nB #')
    swarm.after(1_000).arrived('A', 0, { length: MIB })
    const lines = requests(swarm.arrived('B', 0, { begin: 8 * MIB }))
    assert.match(lines.join('\n'), /^cancel A 0 \d+\+\d+\nrequest B 0 \d+\+\d+$/)
  })

  it('is not divided where little of it is left', () => {
    const swarm = large()
    swarm.drawn('A #')
    swarm.after(1_000).arrived('A', 0, { length: 15 * MIB })
    assert.deepEqual(requests(swarm.drawn('B #')), [])
  })

  it('comes whole of one when it was wrong', () => {
    const swarm = large()
    swarm.drawn('A #\nB #')
    comesOfBoth(swarm)
    const again = requests(swarm.refuted(0))
    assert.equal(again.length, 1)
    assert.match(again[0] ?? '', /^request [AB] 0$/)
    assert.deepEqual(requests(swarm.drawn('C #')), [])
  })
})

it('a piece of 2 MiB goes to one peer', () => {
  const swarm = large({ size: 2 * MIB })
  swarm.drawn('A #')
  assert.deepEqual(requests(swarm.drawn('B #')), [])
})

it('under a limit, a piece that was begun comes before others', () => {
  const swarm = scenario({ pieces: 50, wire: 'bittorrent' })
  swarm.limited(MIB)
  const begun = new Set<string>()
  let lines = swarm.drawn(`A ${'#'.repeat(50)}`)
  for (let at = 0; at < 80; at++) {
    const [, piece = '', begin = '0', length = '0'] = /A (\d+) (\d+)\+(\d+)/.exec(lines.join('\n')) ?? []
    if (piece !== '') {
      begun.add(piece)
      lines = swarm.arrived('A', Number(piece), { begin: Number(begin), length: Number(length) })
      if (only(lines, 'verify').length > 0) {
        swarm.verified(Number(piece))
        lines.push(...swarm.stored(Number(piece)))
        begun.delete(piece)
      }
    }
    if (requests(lines).length === 0) lines = swarm.until(swarm.now + 200)
    assert.ok(begun.size <= 2, `${begun.size} begun`)
  }
})

it('under a limit, what is due last is not fetched from its beginning again and again', () => {
  // A is slow and has all of what is left to send; B could send it at once, in steps that the limit allows
  const swarm = scenario({ pieces: 1, wire: 'bittorrent' })
  swarm.drawn('A #')
  swarm.limited(MIB)
  swarm.after(100).arrived('A', 0, { length: 16_384 })
  swarm.after(900).arrived('A', 0, { begin: 16_384, length: 16_384 })
  const asked = [...swarm.drawn('B #')]
  const begins: number[] = []
  for (let step = 0; step < 20; step++) {
    const [, begin = '', length = ''] = /request B 0 (\d+)\+(\d+)/.exec(asked.splice(0).join('\n')) ?? []
    if (begin !== '') {
      begins.push(Number(begin))
      asked.push(...swarm.after(10).arrived('B', 0, { begin: Number(begin), length: Number(length) }))
    }
    asked.push(...swarm.until(swarm.now + 150))
  }
  assert.ok(begins.length > 5, `${begins}`)
  assert.equal(new Set(begins).size, begins.length, 'each begins where the last one ended')
  assert.ok(without(begins.map(String), '0').length === begins.length)
})
