export { findIssuer, listIssuers, permitsIssuer, readCaa } from './caa.ts'
export { mayOrder, type OrderPermit, type OrderWish } from './may-order.ts'
export { backOffMs, ORDER_BOUND_MS, type OrderHistory, readHistory } from './order-history.ts'
export {
  beginOrder,
  failCutOff,
  failOrder,
  finishOrder,
  type OrderChange,
  type OrderProblem,
  waitOrder,
} from './order-record.ts'
export { planCertificates, RANK_PATIENCE_MS } from './plan.ts'
export type {
  CaaFacts,
  CertificateDuty,
  CertificatePlan,
  CertificateView,
  ChallengeWay,
  HeldCertificate,
  HostFacts,
  RenewalReason,
  UncoveredName,
  WaitingCertificate,
  WantedCertificate,
} from './ports.ts'
export { isPublicName } from './public-names.ts'
export { coversName, judgeRenewal, type RenewalFacts, type RenewalTimes, renewalShare } from './renewal.ts'
export { listWanted, type WantedList } from './wanted.ts'
