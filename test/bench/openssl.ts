/** `openssl dgst`: what adding a file cannot be faster than with one hash on one core. It shares nothing. */
import { output } from './processes.ts'
import type { Program } from './program.ts'

export async function openssl(): Promise<Program> {
  const version = (await output('openssl', ['version'])).split(' ').slice(0, 2).join(' ')
  const never = (): Promise<never> => Promise.reject(new Error('openssl shares nothing'))
  return {
    name: 'openssl',
    version: `${version}, dgst -sha256`,
    able: ({ does }) => does === 'add',
    start: async (place) => ({
      address: place.address,
      pid: undefined,
      add: (source) => place.run(['openssl', 'dgst', '-sha256', source]),
      join: never,
      connections: never,
      get: never,
      stop: async () => {},
    }),
  }
}
