/** Memory of a process, from /proc. */
import { readFile } from 'node:fs/promises'

/** Bytes that it has resident (`VmRSS`), or had at most (`VmHWM`). @throws Error when it is not there */
export async function memoryOf(pid: number, what: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const [, kib] = new RegExp(`^${what}:\\s+(\\d+) kB$`, 'm').exec(status) ?? []
  if (kib === undefined) throw new Error(`process ${pid} has no ${what}`)
  return Number(kib) * 1024
}
