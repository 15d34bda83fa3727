/** sendme, by its commands: a process that publishes while it runs, and one that connects and downloads. */
import { rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { installed } from '../interop/installed.ts'
import { output, type Running } from './processes.ts'
import type { Peer, Place, Program } from './program.ts'

/** It finds and tells nobody; each end is told the other's address by the ticket. */
const QUIET = ['--relay', 'disabled', '--no-progress']

const PORT = 4201

export async function sendme(): Promise<Program> {
  const program = join(await installed('sendme'), 'bin', 'sendme')
  const version = (await output(program, ['--version'])).trim()
  return {
    name: 'sendme',
    version,
    // a ticket is of one peer, and adding is a part of what the publishing process does
    able: ({ does, seeders }) => does === 'get' && seeders === 1,
    start: async (place) => start(program, place),
  }
}

function start(program: string, place: Place): Peer {
  let sender: Running | undefined
  let ticketed = false
  const bind = ['--magic-ipv4-addr', `${place.address}:${PORT}`]
  return {
    address: place.address,
    get pid() {
      return sender?.pid
    },
    add: async (source) => {
      sender = place.start([program, 'send', ...QUIET, ...bind, '--ticket-type', 'addresses', source])
      const line = await sender.line(/^sendme receive /)
      return line.slice('sendme receive '.length).trim()
    },
    join: async () => {
      ticketed = true
    },
    // connecting is a part of `receive`
    connections: async () => Number(ticketed),
    get: async (ticket, target) => {
      await place.run([program, 'receive', ...QUIET, ...bind, ticket])
      await rename(join(place.directory, basename(target)), target)
    },
    stop: async () => sender?.stop(),
  }
}
