/** What `share doctor` looks at on this machine: its clock, its disk, and how many files it may open. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdir, readFile, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { formatBytes } from '../../core/units.ts'
import { KEY_FILE } from '../identity.ts'
import { type Finding, failed, note, ok, warning } from './check.ts'

/** Asked for the time, by NTP (RFC 5905), where the node joins a public network at all. */
const TIME_SERVER = 'pool.ntp.org'
const NTP_PORT = 123
const NTP_BYTES = 48
const NTP_WAIT_MS = 2_000

/** Seconds from NTP's epoch, 1900, to Unix's. */
const NTP_EPOCH = 2_208_988_800

/** Certificates and records of other peers hold for hours: a clock that is off by minutes does no harm. */
const MOST_SKEW_S = 300

/** A download is refused with less than 64 MiB to spare; with less than this there will soon be none. */
const LITTLE_DISK = 1 << 30

/** Each connection, and each file that is seeded, takes one. */
const FEW_FILES = 1_024

export async function clock(home: string, online: boolean): Promise<Finding> {
  const written = (await stat(join(home, KEY_FILE))).mtimeMs
  if (Date.now() < written)
    return failed(
      `the clock says ${new Date().toISOString()}, which is before this node was made`,
      'set the clock: records of this node are refused, or expire too soon',
    )
  if (!online) return ok('it runs forward; no time server was asked, for the node joins no public network')
  const skew = await secondsBehind().catch(() => undefined)
  if (skew === undefined) return note(`it runs forward; ${TIME_SERVER} did not answer`)
  const off = `${Math.abs(skew).toFixed(1)} s ${skew > 0 ? 'behind' : 'ahead of'} ${TIME_SERVER}`
  return Math.abs(skew) > MOST_SKEW_S
    ? failed(`it is ${off}`, 'set the clock: records of this node are refused, or expire too soon')
    : ok(`it is ${off}`)
}

async function secondsBehind(): Promise<number> {
  const socket = createSocket('udp4')
  // that there is no name server turns out long after this has ended
  socket.on('error', () => {})
  try {
    const request = Buffer.alloc(NTP_BYTES)
    // no leap warning, version 4, client
    request[0] = 0x23
    const sent = Date.now()
    socket.send(request, NTP_PORT, TIME_SERVER)
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(NTP_WAIT_MS) })) as [Buffer]
    if (answer.length < NTP_BYTES) throw new Error('too short an answer')
    const middle = (sent + Date.now()) / 2000
    return answer.readUInt32BE(40) + answer.readUInt32BE(44) / 2 ** 32 - NTP_EPOCH - middle
  } finally {
    socket.close()
  }
}

export async function disk(home: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(home)
  const free = bavail * bsize
  const finding = `${formatBytes(free)} are free where ${home} lies`
  return free < LITTLE_DISK ? warning(finding, 'free some space, or move the home (SHARE_HOME)') : ok(finding)
}

export async function fileHandles(): Promise<Finding> {
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const limit = Number(/^Max open files\s+(\d+)/m.exec(text)?.[1] ?? Number.NaN)
  if (Number.isNaN(limit)) return note('this system does not say how many files may be open')
  const open = (await readdir('/proc/self/fd')).length
  const finding = `${open} of ${limit} are open`
  return limit < FEW_FILES || open > limit * 0.8
    ? warning(finding, 'raise the limit (ulimit -n 4096) before the daemon is started')
    : ok(finding)
}
