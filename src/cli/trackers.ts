/** `--tracker URL…` and `--no-tracker`: the trackers of a share from now on; without either they stay. */
export interface TrackerOptions {
  readonly tracker?: readonly string[] | false
}

export function trackersIn(tracker: TrackerOptions['tracker']): { trackers?: readonly string[] } {
  if (tracker === undefined) return {}
  return { trackers: tracker === false ? [] : tracker }
}
