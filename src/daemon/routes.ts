/** What the API offers: each route is a method of the node, in HTTP. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Pages } from '../gateway/pages.ts'
import type {
  HashProgress,
  ImportProfile,
  Node,
  NodeEvents,
  ShareInfo,
  TorrentSummary,
  VerifyProgress,
} from '../node/types.ts'
import type {
  AddRequest,
  CatRequest,
  ConnectRequest,
  DaemonInfo,
  ExportRequest,
  GetRequest,
  ImportRequest,
  LimitRequest,
  LinkRequest,
  ListRequest,
  PageRequest,
  ShareRequest,
  TorrentRequest,
  VerifyRequest,
} from './api.ts'
import type { EventSink, Streams } from './streams.ts'

// as often as a person can read a table
const WATCH_INTERVAL_MS = 1000

const NODE_EVENTS: readonly (keyof NodeEvents)[] = ['share', 'banned', 'peerConnected', 'peerDisconnected']

const PROFILES: readonly ImportProfile[] = ['unixfs-v1-2025', 'unixfs-v0-2015']

const VERSIONS: readonly TorrentSummary['version'][] = ['v1', 'v2', 'hybrid']

const text = { type: 'string', minLength: 1 } as const
const texts = { type: 'array', items: text } as const
const flag = { type: 'boolean' } as const
const offset = { type: 'integer', minimum: 0 } as const

function body(required: readonly string[], properties: Record<string, object>): { schema: { body: object } } {
  return { schema: { body: { type: 'object', required, properties } } }
}

export interface Daemon {
  readonly pages: Pick<Pages, 'issue' | 'revoke' | 'all'>
  readonly node: Node
  readonly streams: Streams
  info(): DaemonInfo
  /** Begins to stop; returns at once. */
  stop(): void
}

export function addRoutes(app: FastifyInstance, daemon: Daemon): void {
  daemonRoutes(app, daemon)
  transferRoutes(app, daemon)
  shareRoutes(app, daemon.node)
  torrentRoutes(app, daemon)
  pageRoutes(app, daemon)
  watchRoutes(app, daemon)
  peerRoutes(app, daemon)
}

function daemonRoutes(app: FastifyInstance, { streams, node, info, stop }: Daemon): void {
  app.get('/v1/daemon', () => info())
  app.get('/v1/id', () => node.identity)
  app.post('/v1/doctor', (_request, reply) =>
    streams.events(reply, async (sink, signal) => {
      for await (const check of node.examine()) {
        await sink.send('check', check)
        signal.throwIfAborted()
      }
    }),
  )
  // never finished here: the connection ends with the process, which tells the client that it is gone
  app.post('/v1/daemon/stop', (_request, reply) => {
    const { raw } = reply.hijack()
    raw.writeHead(200, { 'content-type': 'application/json' })
    raw.write('{}')
    stop()
  })
  app.get('/v1/events', (_request, reply) =>
    streams.events(reply, async (sink, signal) => {
      const off = NODE_EVENTS.map((event) => node.on(event, (detail) => void sink.offer(event, detail)))
      await aborted(signal)
      for (const stop of off) stop()
    }),
  )
}

function transferRoutes(app: FastifyInstance, { node, streams }: Daemon): void {
  const add = body(['path'], {
    path: text,
    name: text,
    profile: { enum: PROFILES },
    copy: flag,
    torrent: text,
  })
  app.post<{ Body: AddRequest }>('/v1/add', add, ({ body: { path, ...options } }, reply) =>
    streams.events(reply, (sink, signal) =>
      node.add(path, { ...options, signal, onProgress: (progress) => sink.offer('progress', progress) }),
    ),
  )

  const get = body(['target', 'output'], {
    target: text,
    output: text,
    peers: texts,
    stream: flag,
    only: texts,
  })
  app.post<{ Body: GetRequest }>('/v1/get', get, ({ body: { target, ...options } }, reply) =>
    streams.events(reply, (sink, signal) =>
      node.get(target, {
        ...options,
        signal,
        onProgress: (progress) => {
          if (progress.notice === undefined) sink.offer('progress', progress)
          else void sink.send('progress', progress).catch(() => {})
        },
      }),
    ),
  )

  const cat = body(['target'], { target: text, first: offset, last: offset })
  app.post<{ Body: CatRequest }>('/v1/cat', cat, ({ body: { target, first, last } }, reply) =>
    streams.bytes(reply, (signal) => {
      if (first === undefined) return node.cat(target, { signal })
      return node.cat(target, { signal, range: last === undefined ? { first } : { first, last } })
    }),
  )

  app.post<{ Body: ExportRequest }>(
    '/v1/export',
    body(['target'], { target: text }),
    ({ body: { target } }, reply) => streams.bytes(reply, (signal) => node.export(target, { signal })),
  )

  const car = body(['path'], { path: text, name: text, blocks: flag })
  app.post<{ Body: ImportRequest }>('/v1/import', car, ({ body: { path, ...options } }, reply) =>
    streams.events(reply, (sink, signal) =>
      node.import(path, { ...options, signal, onProgress: (progress) => sink.offer('progress', progress) }),
    ),
  )

  app.post<{ Body: ListRequest }>(
    '/v1/ls',
    body(['target'], { target: text }),
    ({ body: { target } }, reply) =>
      streams.events(reply, async (sink, signal) => {
        for await (const entry of node.ls(target, { signal })) await sink.send('entry', entry)
      }),
  )

  app.post<{ Body: VerifyRequest }>('/v1/verify', body([], { cid: text }), ({ body: { cid } }, reply) =>
    streams.events(reply, async (sink, signal) => {
      const cids = cid === undefined ? (await node.status()).filter(allHere).map((share) => share.cid) : [cid]
      const onProgress = (progress: VerifyProgress): void => sink.offer('progress', progress)
      for (const each of cids) await sink.send('result', await node.verify(each, { signal, onProgress }))
    }),
  )
}

/** Nothing is on its way: also a damaged share, whose bytes were all here once. */
function allHere(share: ShareInfo): boolean {
  return (
    share.state === 'seeding' || share.state === 'damaged' || (share.size > 0 && share.have === share.size)
  )
}

function shareRoutes(app: FastifyInstance, node: Node): void {
  const share = body(['cid'], { cid: text })
  const actions = {
    rm: (cid: string) => node.rm(cid),
    pause: (cid: string) => node.pause(cid),
    resume: (cid: string) => node.resume(cid),
  }
  for (const [name, act] of Object.entries(actions)) {
    app.post<{ Body: ShareRequest }>(`/v1/${name}`, share, async (request) => {
      await act(request.body.cid)
      return {}
    })
  }
  app.post<{ Body: LimitRequest }>(
    '/v1/limit',
    body([], { cid: text, up: offset, down: offset }),
    async ({ body: { cid, ...rates } }) => {
      if (cid !== undefined) return { limits: (await node.limit(cid, rates)).limits }
      node.limitAll(rates)
      return {}
    },
  )
  app.post('/v1/gc', () => node.gc())
  app.get('/v1/shares', async () => ({ shares: await node.status() }))
}

function torrentRoutes(app: FastifyInstance, { node, streams }: Daemon): void {
  const reportTo =
    (sink: EventSink) =>
    (progress: HashProgress): void => {
      if (progress.notice === undefined) sink.offer('progress', progress)
      else void sink.send('progress', progress).catch(() => {})
    }

  const link = body(['cid'], { cid: text, torrent: flag, trackers: texts })
  app.post<{ Body: LinkRequest }>('/v1/link', link, ({ body: { cid, ...options } }, reply) =>
    streams.events(reply, async (sink, signal) => ({
      link: await node.link(cid, { ...options, signal, onProgress: reportTo(sink) }),
    })),
  )

  const torrent = body(['cid'], { cid: text, version: { enum: VERSIONS }, trackers: texts })
  app.post<{ Body: TorrentRequest }>('/v1/torrent', torrent, ({ body: { cid, ...options } }, reply) =>
    streams.events(reply, async (sink, signal) => {
      const { bytes: _, ...summary } = await node.torrent(cid, {
        ...options,
        signal,
        onProgress: reportTo(sink),
      })
      return summary
    }),
  )

  // a body of its own: a torrent can have more bytes than an event should
  app.post<{ Body: TorrentRequest }>('/v1/torrent/file', torrent, ({ body: { cid, ...options } }, reply) =>
    streams.bytes(reply, async function* (signal) {
      yield (await node.torrent(cid, { ...options, signal })).bytes
    }),
  )
}

function pageRoutes(app: FastifyInstance, { pages }: Daemon): void {
  const page = body(['cid'], { cid: text, lasts: { type: 'integer', minimum: 1 } })
  app.post<{ Body: PageRequest }>('/v1/page', page, ({ body: { cid, lasts } }) => pages.issue(cid, lasts))
  app.post<{ Body: ShareRequest }>('/v1/page/revoke', body(['cid'], { cid: text }), async (request) => {
    await pages.revoke(request.body.cid)
    return {}
  })
  app.get('/v1/pages', async () => ({ pages: await pages.all() }))
}

function watchRoutes(app: FastifyInstance, { node, streams }: Daemon): void {
  app.get('/v1/shares/watch', (_request, reply) =>
    streams.events(reply, async (sink, signal) => {
      let last = ''
      while (!signal.aborted) {
        last = await offerChange(node, sink, last)
        await sleep(WATCH_INTERVAL_MS, undefined, { signal }).catch(() => {})
      }
      signal.throwIfAborted()
    }),
  )
}

async function offerChange(node: Node, sink: EventSink, last: string): Promise<string> {
  const shares = await node.status()
  const now = JSON.stringify(shares)
  if (now !== last) sink.offer('shares', { shares })
  return now
}

function peerRoutes(app: FastifyInstance, { node, streams }: Daemon): void {
  app.get('/v1/peers', () => ({ peers: node.peers() }))
  app.post<{ Body: ConnectRequest }>(
    '/v1/peers/connect',
    body(['address'], { address: text }),
    (request, reply) => node.connect(request.body.address, { signal: streams.signal(reply) }),
  )
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
