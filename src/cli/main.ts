/** The command line's entry: parses, runs one command, sets the exit code. */
import { CommanderError } from 'commander'
import { ShareError } from '../core/errors.ts'
import { endWithReader, Output } from './output.ts'
import { createProgram } from './program.ts'

const SHOWN = new Set(['commander.helpDisplayed', 'commander.version'])

endWithReader()
const program = createProgram()
try {
  await program.parseAsync()
} catch (thrown) {
  process.exitCode = refuse(thrown)
}

/** The exit code for what commander threw: help and version are no errors, the rest is a wrong command line. */
function refuse(thrown: unknown): number {
  if (!(thrown instanceof CommanderError)) throw thrown
  if (SHOWN.has(thrown.code)) return 0
  const known = program.commands.find((command) => command.name() === process.argv[2])
  const help = known === undefined ? 'share --help' : `share ${known.name()} --help`
  const message = thrown.message.replace(/^error: /, '').replaceAll('\n', ' ')
  const error = new ShareError(
    'USAGE',
    thrown.code === 'commander.help' ? 'a command is missing' : message,
    `see \`${help}\``,
  )
  new Output(process.argv.includes('--json')).failure(error)
  return error.exitCode
}
