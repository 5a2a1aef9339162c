export type {
  AccountBinding,
  AcmeAccount,
  AcmeOrder,
  AskedChallenge,
  Authority,
  AuthorityFacts,
  ChallengeType,
  IssuedCertificate,
  OrderRequest,
  RenewalInfo,
} from './ports.ts'
