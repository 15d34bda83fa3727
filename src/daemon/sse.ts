/** Server-sent events, both ends: one event is a name and one line of JSON. */

export interface ServerEvent {
  readonly event: string
  readonly data: unknown
}

export function encodeEvent(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data) ?? 'null'}\n\n`
}

/** Events as they arrive; ends where the stream ends, and an unfinished event is dropped. */
export async function* decodeEvents(stream: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder()
  let held = ''
  for await (const chunk of stream) {
    held += decoder.decode(chunk, { stream: true })
    const blocks = held.split('\n\n')
    held = blocks.pop() ?? ''
    for (const block of blocks) yield parseBlock(block)
  }
}

function parseBlock(block: string): ServerEvent {
  let event = 'message'
  let data = 'null'
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) event = line.slice('event: '.length)
    if (line.startsWith('data: ')) data = line.slice('data: '.length)
  }
  return { event, data: JSON.parse(data) }
}
