/** Whose data leaves next, by a clock that goes on while decisions are made, as real ones do. */
import assert from 'node:assert/strict'
import { it, mock } from 'node:test'
import { type Millis, millis } from '../../src/core/types.ts'
import { Outflow } from '../../src/exchange/outflow.ts'
import { Limits } from '../../src/swarm/limits.ts'
import { SendWindow } from '../../src/swarm/send-window.ts'

interface Clock {
  /** Ms that a look at it takes. */
  readonly look: number
  /** Ms until what was written is confirmed. */
  readonly confirmed: number
}

/** Lets so many bytes a second leave for so many ms, and returns how many did. */
function leaves(rate: number, ms: number, { look, confirmed }: Clock): number {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    let time = 0
    const now = (): Millis => {
      time += look
      return millis(time)
    }
    const limits = new Limits()
    limits.set('up', rate, now())
    const outflow = new Outflow({ window: new SendWindow(), limits, now })
    let left = 0
    const sent: { bytes: number; at: number }[] = []
    const outlet = outflow.join({
      root: undefined,
      confirms: false,
      write: (most) => {
        left += most
        sent.push({ bytes: most, at: time + confirmed })
        return most
      },
    })
    outlet.wake()
    while (time < ms) {
      time += 1
      mock.timers.tick(1)
      while (sent[0] !== undefined && sent[0].at <= time) outlet.confirmed(sent.shift()?.bytes ?? 0)
    }
    outflow.stop()
    return left
  } finally {
    mock.timers.reset()
  }
}

it('a limit is made use of, however its waits fall between two looks at the clock', () => {
  for (const rate of [100_000, 1_000_000, 10_000_000]) {
    for (const look of [0, 0.1, 0.3, 0.5]) {
      for (const confirmed of [0, 1, 2, 3, 4, 5, 6, 7, 8]) {
        const part = leaves(rate, 2_000, { look, confirmed }) / (rate * 2)
        // what was saved up before the first of it counts a quarter of a second
        assert.ok(
          part > 0.95 && part < 1.2,
          `${rate}, ${look} ms a look, ${confirmed} ms: ${part.toFixed(3)}`,
        )
      }
    }
  }
})
