/** Why a request failed, as a person may read it; the reason lies in what `fetch` wraps. */
export function causeOf(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown
  return `could not be read: ${cause instanceof Error ? cause.message : String(cause)}`
}
