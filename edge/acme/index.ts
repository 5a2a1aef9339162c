export { type AuthorityOptions, openAuthority } from './authority.ts'
export { AuthorityError } from './authority-error.ts'
export type {
  AccountBinding,
  AcmeAccount,
  AcmeOrder,
  AskedChallenge,
  Authority,
  AuthorityFacts,
  IssuedCertificate,
  OrderRequest,
  RenewalInfo,
} from './ports.ts'
