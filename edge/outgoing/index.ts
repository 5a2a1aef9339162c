export {
  OWN_PORTS,
  REFUSAL_REASONS,
  REFUSED_PORTS,
  type RefusalReason,
} from './address-policy.ts'
export { REFUSED_NAMES } from './host-name.ts'
export {
  OUTGOING_LIMITS,
  type Outgoing,
  type OutgoingCounters,
  type OutgoingLimits,
  type OutgoingOptions,
  type OutgoingRun,
  openOutgoing,
} from './outgoing.ts'
export { REFUSED_IPV4, REFUSED_IPV6, type RefusedNetwork } from './refused-networks.ts'
