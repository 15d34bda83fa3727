/** The status as people read it: for each share its name, its CID, one line of figures, then what is wrong. */
import { printable } from '../core/cid.ts'
import { formatBytes, formatDuration, formatRate } from '../core/units.ts'
import type { ShareInfo } from '../node/types.ts'

export function statusText(shares: readonly ShareInfo[]): string {
  if (shares.length === 0) return 'nothing is shared yet: `share add PATH`, or `share get CID`'
  return shares.map(shareText).join('\n\n')
}

function shareText(share: ShareInfo): string {
  const { rates, peers } = share
  const moved = [
    `up ${formatRate(rates.up)} (${formatBytes(share.uploaded)})`,
    `down ${formatRate(rates.down)} (${formatBytes(share.downloaded)})`,
    peers.length === 1 ? '1 peer' : `${peers.length} peers`,
  ]
  const lines = [
    printable(share.name),
    share.cid,
    [share.state, amount(share), ...moved].join('  '),
    ...share.damaged.map(({ file, reason }) => `damaged: ${printable(file)}: ${printable(reason)}`),
    ...share.banned.map(({ id, reason }) => `banned: ${printable(id)}: ${printable(reason)}`),
  ]
  if (share.error !== undefined)
    lines.push(`${printable(share.error.message)}; ${printable(share.error.hint)}`)
  return lines.map((line, at) => (at === 0 ? line : `  ${line}`)).join('\n')
}

function amount({ state, size, have, rates }: ShareInfo): string {
  if (size === 0 && state !== 'seeding') return 'size not known yet'
  if (have === size) return formatBytes(size)
  const percent = Math.floor((100 * have) / size)
  const left = rates.down > 0 ? `, ${formatDuration((size - have) / rates.down)} left` : ''
  return `${formatBytes(have)} of ${formatBytes(size)} (${percent} %${left})`
}
