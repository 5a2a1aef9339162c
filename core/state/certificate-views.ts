import type { MemberKey } from '../ids.ts'
import type { Hostname } from '../names.ts'
import type { CertificateName } from '../operation/index.ts'
import { keys } from './keys.ts'
import type {
  AccountValue,
  CertificateValue,
  ChallengeValue,
  Entry,
  OrderValue,
  RevocationValue,
  State,
} from './state.ts'

/** Typed readings of what the state says of certificates and of getting them. */

/** What one node shows authorities for one host. */
export interface ChallengeView extends ChallengeValue {
  readonly host: Hostname
  readonly author: MemberKey
  /** When it was said, milliseconds by its author's clock. */
  readonly saidMs: number
}

/** How one node gets on with a certificate. */
export interface OrderView extends OrderValue {
  readonly author: MemberKey
  /** When it was said, milliseconds by its author's clock. */
  readonly saidMs: number
}

/** By name; what is said of them, whether or not they are valid now. */
export const listCertificates = (state: State): readonly Entry<CertificateValue>[] =>
  state.ids('certificate').flatMap((name) => {
    const entry = state.get(keys.certificate(name as CertificateName)) as Entry<CertificateValue> | undefined
    return entry ?? []
  })

export const listAccounts = (state: State): readonly Entry<AccountValue>[] =>
  state.ids('account').flatMap((id) => state.scope(`account/${id}`) as readonly Entry<AccountValue>[])

/** What is shown for all hosts, also when its time is over; by host and author. */
export const listChallenges = (state: State): readonly ChallengeView[] =>
  state.ids('challenge').flatMap((host) => findChallenges(state, host as Hostname))

/** What is shown for one host, also when its time is over; by author. */
export function findChallenges(state: State, host: Hostname): readonly ChallengeView[] {
  return state
    .scope(`challenge/${host}`)
    .map(({ value, author, stamp }) => ({ host, author, saidMs: stamp.wallMs, ...(value as ChallengeValue) }))
}

/** Of every node that ever ordered the certificate, by key of the node. */
export const listOrders = (state: State, name: CertificateName): readonly OrderView[] =>
  state
    .scope(`order/${name}`)
    .map(({ value, author, stamp }) => ({ ...(value as OrderValue), author, saidMs: stamp.wallMs }))

export const listRevocations = (state: State): readonly Entry<RevocationValue>[] =>
  state.ids('revocation').flatMap((id) => state.scope(`revocation/${id}`) as readonly Entry<RevocationValue>[])
