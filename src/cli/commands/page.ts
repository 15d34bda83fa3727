/** share page: the URL of a page by which somebody without this program downloads a share. */
import { parseCid } from '../../core/cid.ts'
import { ShareError } from '../../core/errors.ts'
import { parseDuration } from '../../core/units.ts'
import type { DaemonClient } from '../../daemon/client.ts'
import type { Context } from '../context.ts'

type Page = Awaited<ReturnType<DaemonClient['page']>>

interface Options {
  readonly for?: string
  readonly revoke?: boolean
}

export async function page(context: Context, cid: string | undefined, options: Options): Promise<void> {
  const { out, signal, daemon } = context
  if (cid === undefined) {
    if (options.for !== undefined || options.revoke === true)
      throw new ShareError('USAGE', 'whose page?', 'name the CID: `share page` lists them')
    const answer = await (await daemon()).pages({ signal })
    out.result(answer.pages.map(line).join('\n') || 'no share has a page', answer)
    return
  }
  parseCid(cid)
  const lasts = options.for === undefined ? undefined : parseLasting(options.for)
  const client = await daemon()
  if (options.revoke === true) {
    await client.revokePage(cid, { signal })
    out.result(`the page of ${cid} has ended`, { cid, revoked: true })
    return
  }
  const made = await client.page({ cid, ...(lasts !== undefined && { lasts }) }, { signal })
  out.result(made.url, made)
  if (!out.json) for (const note of notes(made)) out.note(note)
}

function line({ url, name, expires }: Page): string {
  return `${url}  ${name}${expires === null ? '' : `, until ${expires}`}`
}

/** What one should know before the URL is handed out. */
function notes({ cid, name, url, urls, expires }: Page): string[] {
  const end = expires === null ? '' : `until ${expires}, or `
  const encrypted = url.startsWith('https:')
  const others = urls.length > 1 ? [`this machine has other addresses too: ${urls.slice(1).join(' ')}`] : []
  return [
    `whoever has this URL can download ${name}, while this machine is on, ${end}until \`share page ${cid} --revoke\``,
    ...(encrypted ? [] : [UNENCRYPTED]),
    ...others,
  ]
}

const UNENCRYPTED =
  'it is not encrypted: who is on the network in between can read along, and can change the page itself; see docs/browser.md'

/** Ms. @throws ShareError USAGE */
function parseLasting(text: string): number {
  const seconds = parseDuration(text)
  if (seconds !== undefined && seconds >= 1 && seconds <= LONGEST_S) return Math.round(seconds * 1000)
  throw new ShareError('USAGE', `bad time: ${text}`, 'it looks like 30m, 2h or 7d; ten years at most')
}

const LONGEST_S = 10 * 365 * 86_400
