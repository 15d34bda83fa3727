/** One program that downloads from another: what each is like with its own kind is told by the runs of the two. */
import type { Program } from './program.ts'

export function pair(getter: Program, seeder: Program): Program {
  const name = `${getter.name}-from-${seeder.name}`
  return {
    name,
    version: `${getter.version} from ${seeder.version}`,
    able: ({ does }) => does === 'get',
    start: (place, role) => (role === 'leecher' ? getter : seeder).start(place, role),
  }
}
