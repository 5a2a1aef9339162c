export {
  type CertificateEvents,
  CertificateRing,
  type CertificateRingOptions,
  type CertificateSource,
} from './certificate-ring.ts'
export { type DutyView, planSealDuties, type SealDuty } from './duty.ts'
export { GrantedSeals } from './granted-seals.ts'
export { type OpenCertificate, openCertificate, type SealOpener } from './open-certificate.ts'
export { MAX_SEALED_BYTES } from './padding.ts'
export { createEpoch, type EpochSecret, openGrant, openValue, type SealPlace, sealGrant, sealValue } from './seal.ts'
export {
  SealKeeper,
  type SealKeeperEvents,
  type SealKeeperOptions,
  type SealPeers,
  type SealReplica,
} from './seal-keeper.ts'
export {
  type SharedTicketKeys,
  TICKET_KEYS_BYTES,
  TICKET_WINDOW_MS,
  TicketKeys,
  type TicketKeysOptions,
} from './ticket-keys.ts'
