/**
 * One end of the link that `links.ts` measures. `link-end.ts answer ADDRESS` swallows what it is sent by TCP and returns
 * datagrams; `link-end.ts ask ADDRESS` sends so, told by a JSON line what to do, and answers with one.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Order, Seen } from './links.ts'

const PORT = 9000

const CHUNK = Buffer.alloc(1 << 16)

/** Ms between datagrams; one that has not come back by the end is lost. */
const PING_INTERVAL = 20

/** Ms for TCP to find the rate, before anything is counted. */
const RAMP = 2000

async function answer(address: string): Promise<void> {
  const echo = createSocket('udp4')
  echo.on('message', (message, { port, address }) => echo.send(message, port, address))
  echo.bind(PORT, address)
  await once(echo, 'listening')
  const server = createServer((socket) => socket.on('error', () => {}).resume()).listen(PORT, address)
  await once(server, 'listening')
  process.stdout.write('ready\n')
}

async function ask(address: string): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const { flows, ms } = JSON.parse(line) as Order
    const sockets = await Promise.all(Array.from({ length: flows }, () => pour(address)))
    await sleep(RAMP)
    const written = (): number =>
      sockets.reduce((sum, socket) => sum + socket.bytesWritten - socket.writableLength, 0)
    const [before, start] = [written(), performance.now()]
    const { sent, times } = await ping(address, ms)
    const seen: Seen = {
      rate: (1000 * (written() - before)) / (performance.now() - start),
      lost: 1 - times.length / sent,
      times: times.sort((a, b) => a - b),
    }
    for (const socket of sockets) socket.destroy()
    process.stdout.write(`${JSON.stringify(seen)}\n`)
  }
}

async function pour(address: string): Promise<Socket> {
  const socket = connect(PORT, address).on('error', () => {})
  await once(socket, 'connect')
  const fill = (): void => {
    while (!socket.destroyed && socket.write(CHUNK));
  }
  socket.on('drain', fill)
  fill()
  return socket
}

async function ping(address: string, ms: number): Promise<{ sent: number; times: number[] }> {
  const socket = createSocket('udp4')
  const times: number[] = []
  socket.on('message', (message) => times.push(performance.now() - message.readDoubleBE()))
  let sent = 0
  for (const until = performance.now() + ms; performance.now() < until; sent++) {
    const stamp = Buffer.alloc(64)
    stamp.writeDoubleBE(performance.now())
    socket.send(stamp, PORT, address)
    await sleep(PING_INTERVAL)
  }
  await sleep(1000)
  socket.close()
  return { sent, times }
}

const [, , role, address = ''] = process.argv
await (role === 'answer' ? answer(address) : ask(address))
