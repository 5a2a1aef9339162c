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
