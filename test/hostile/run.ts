/**
 * `npm run test:hostile`: all hostile tests in full, with a seed that is printed, and what they counted put into the table of
 * docs/reliability.md. Ends with the tests' exit code.
 */
import { globSync } from 'node:fs'
import { runCounted } from './counted.ts'

process.exitCode = runCounted({
  name: 'counts of the last run',
  files: globSync('test/hostile/**/*.test.ts'),
  env: { HOSTILE: 'full' },
})
