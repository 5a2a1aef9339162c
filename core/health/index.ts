export type { AddressVerdict, Basis, Votes } from './address-verdict.ts'
export { HealthMonitor, type HealthMonitorOptions } from './health-monitor.ts'
export { type KnownOperations, LagWatch } from './lag-watch.ts'
export type { Thresholds } from './observer.ts'
export {
  listProbeTargets,
  type ProbeOutcome,
  type ProbeResult,
  type ProbeTarget,
  type Service,
  type WatchedNode,
} from './probe-target.ts'
export { MAX_SAID_BYTES, type SaidObservations } from './said-observations.ts'
export type { AddressFamily, NodeStanding, NodeStandings, Standing } from './standing.ts'
