#!/usr/bin/env node
// Starts the CLI. This file is parsed by whatever Node is on the PATH, so its syntax stays old until the check has passed.
var needed = [22, 18]
var found = process.versions.node.split('.').map(Number)

if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  console.error(
    'share needs Node ' +
      needed.join('.') +
      ' or newer, and this is ' +
      process.version +
      ': inside a checkout run `npx share`, which uses the Node installed there, or get one from https://nodejs.org',
  )
  process.exit(1)
}

import('../dist/bundle/start.js').catch((error) => {
  var missing = error.code === 'ERR_MODULE_NOT_FOUND' && /dist[\\/]bundle[\\/]start\.js$/.test(error.url)
  console.error(missing ? 'share is not built yet: run `npm run build` in its directory' : error)
  process.exit(1)
})
