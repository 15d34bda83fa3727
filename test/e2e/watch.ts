/** Looks again and again until it is stopped. */
export function watch(look: () => Promise<void>): { stop(): Promise<void> } {
  let on = true
  const looking = (async () => {
    while (on) {
      await look()
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })()
  return {
    stop: async () => {
      on = false
      await looking
    },
  }
}
