/**
 * Amounts as people write and read them: bytes, bytes a second, durations. Units are decimal (1 MB = 10^6
 * bytes), as disks and networks count; the binary ones (MiB) are understood too.
 */

const BYTES_IN: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
}

const SECONDS_IN: Readonly<Record<string, number>> = { ms: 0.001, '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

/**
 * Whole bytes of `512`, `1.5k`, `40MB` or `2 GiB`; letter case does not matter. Undefined for anything else, also
 * for what no number holds exactly.
 */
export function parseBytes(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([kmgt]i?)?b?$/i.exec(text.trim()) ?? []
  const factor = BYTES_IN[unit.toLowerCase()]
  if (digits === '' || factor === undefined) return undefined
  const bytes = Math.round(Number(digits) * factor)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** Bytes a second of `40MB`, `40MB/s`, or `0` and `unlimited`, which both mean 0: no limit. */
export function parseRate(text: string): number | undefined {
  const amount = text.trim().replace(/\/s$/i, '')
  return amount.toLowerCase() === 'unlimited' ? 0 : parseBytes(amount)
}

/** Seconds of `30`, `1.5`, `500ms`, `5m`, `2h` or `1d`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)?$/.exec(text.trim()) ?? []
  const factor = SECONDS_IN[unit]
  if (digits === '' || factor === undefined) return undefined
  const seconds = Number(digits) * factor
  return Number.isFinite(seconds) ? seconds : undefined
}

const STEPS = ['kB', 'MB', 'GB', 'TB', 'PB'] as const

/** Rounded for reading, three digits or so: `0 B`, `999 B`, `1.5 kB`, `40 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`
  let amount = bytes / 1000
  let step = 0
  // 999.5 would round to 1000
  while (amount >= 999.5 && step < STEPS.length - 1) {
    amount /= 1000
    step++
  }
  const digits = amount < 99.95 ? amount.toFixed(1).replace(/\.0$/, '') : amount.toFixed(0)
  return `${digits} ${STEPS[step] ?? ''}`
}

/** `1.5 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`
}

/** Exact, and read back by `parseRate`: `unlimited`, `40MB`, `1234`. */
export function exactRate(bytesPerSecond: number): string {
  if (bytesPerSecond === 0) return 'unlimited'
  for (const [unit, factor] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (bytesPerSecond % factor === 0) return `${bytesPerSecond / factor}${unit}`
  }
  return String(bytesPerSecond)
}

/** The two largest units: `4s`, `3m 20s`, `2h 5m`, `3d 4h`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const days = Math.floor(whole / 86_400)
  const hours = Math.floor((whole % 86_400) / 3600)
  const minutes = Math.floor((whole % 3600) / 60)
  if (days > 0) return `${days}d ${hours}h`
  if (hours > 0) return `${hours}h ${minutes}m`
  if (minutes > 0) return `${minutes}m ${whole % 60}s`
  return `${whole}s`
}
