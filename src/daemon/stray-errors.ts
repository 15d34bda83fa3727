/**
 * Errors that a library lets out of its timers and sockets, where nobody can catch them, and that harm nothing but what
 * it was about to do. Without this they would end the process; all others still do.
 */

/** Where gateways with UPnP are looked for (UPnP Device Architecture 1.1, section 1.3). */
const SSDP_PORT = 1900

export function survive(log: (line: string) => void): void {
  process.on('uncaughtException', (error: Error & { syscall?: string; port?: number }) => {
    // its library listens for errors only once all of its sockets are bound: one may be somebody else's
    if (error.syscall !== 'bind' || error.port !== SSDP_PORT) end(error)
    log(`no router is asked to open a port (UPnP): ${error.message}`)
  })
}

/** As Node itself does. */
function end(error: Error): never {
  console.error(error)
  process.exit(1)
}
