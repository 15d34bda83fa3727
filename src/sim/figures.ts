/** A scenario's figures over several seeds. */
import type { Policy } from '../swarm/policy.ts'
import { type Report, reportOf } from './report.ts'
import type { Scenario } from './scenario.ts'
import { Simulation } from './simulation.ts'

export interface Figures {
  /** Means over the seeds; times in ms. */
  readonly bound: number
  readonly total: number
  readonly efficiency: number
  /** The least of the seeds. */
  readonly leastEfficiency: number
  readonly copies: number
  readonly duplicate: number
  readonly corrupt: number
  readonly cut: number
  readonly fairness: number
  readonly median: number
  /** Medians of free riders over those of contributors, 0 where there are none. */
  readonly riders: number
  readonly contributors: number
  /** Over all seeds. */
  readonly completed: number
  readonly expected: number
  readonly banned: number
  readonly corruptPeers: number
}

/** Seeds 1 to `seeds`. */
export function figuresOf(name: string, scenario: Scenario, seeds: number, policy?: Policy): Figures {
  const reports = Array.from({ length: seeds }, (_, at) => {
    const run = new Simulation(scenario, at + 1, policy === undefined ? {} : { policy })
    run.run()
    return reportOf(name, run)
  })
  const mean = (of: (report: Report) => number): number => sum(reports.map(of)) / seeds
  return {
    bound: mean(({ bound }) => bound),
    total: mean(({ total }) => total ?? Number.NaN),
    efficiency: mean(({ efficiency }) => efficiency),
    leastEfficiency: Math.min(...reports.map(({ efficiency }) => efficiency)),
    copies: mean(({ seederCopies }) => seederCopies),
    duplicate: mean(({ duplicate }) => duplicate),
    corrupt: mean(({ corrupt }) => corrupt),
    cut: mean(({ cut }) => cut),
    fairness: mean(({ fairness }) => fairness),
    median: mean(({ medianTook }) => medianTook),
    riders: mean(({ ridersTook = 0, contributorsTook }) => ridersTook / contributorsTook),
    contributors: mean(({ contributorsTook }) => contributorsTook),
    completed: sum(reports.map(({ completed }) => completed)),
    expected: sum(reports.map(({ expected }) => expected)),
    banned: sum(reports.map(({ banned }) => banned)),
    corruptPeers: sum(reports.map(({ corruptPeers }) => corruptPeers)),
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)
