/** Loads the command line with what the commands before it compiled: half of a short command's time is compiling. */
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import envPaths from 'env-paths'

// the user's own directory, for who writes there says what runs; where it cannot be written, each command compiles
enableCompileCache(join(envPaths('share', { suffix: '' }).cache, 'compiled'))
await import('./main.ts')
