import { findSealEpoch, listExposed, listRevocations, type SealView } from '../../core/index.ts'
import type { ClusterStatus } from '../../edge/index.ts'

/** What the nodes still have to replace after a machine was in a stranger's hands; of what they replace by themselves. */
export interface ReplacementRest {
  /** Certificates that are served with a key that somebody else may know, and why they are still, as far as a node says. */
  readonly certificates: readonly { readonly name: string; readonly why: string | null }[]
  /** Names whose old certificate is not revoked yet. */
  readonly revocations: readonly string[]
  /** Directories where the account is still the old one. */
  readonly accounts: readonly string[]
  /** Whether tickets of TLS sessions may still be made with keys that somebody else knows. */
  readonly tickets: boolean
  /** Nodes that are up and have not heard all. */
  readonly late: readonly string[]
}

/** What is left to do, by the state and by what a node says. Pure. */
export function listRest(view: SealView, { nodes, self, certificates }: ClusterStatus): ReplacementRest {
  const reasons = new Map<string, string>()
  for (const { name, reason } of [...(certificates?.waiting ?? []), ...(certificates?.uncovered ?? [])])
    reasons.set(name, reason)
  const exposed = listExposed(view).map(({ what }) => what)
  const own = nodes.find(({ key }) => key === self)
  return {
    certificates: exposed.flatMap((what) =>
      what.kind === 'certificate' ? [{ name: what.name, why: reasons.get(what.name) ?? null }] : [],
    ),
    revocations: listRevocations(view.state).flatMap(({ value: { name, phase } }) => (phase === 'due' ? [name] : [])),
    accounts: exposed.flatMap((what) => (what.kind === 'account' ? [what.directory] : [])),
    // Where there never was an epoch, each node has keys of its own.
    tickets: view.state.ids('seal').length > 0 && findSealEpoch(view) === undefined,
    late: nodes.flatMap(({ name, up, digest }) => (up && own !== undefined && digest !== own.digest ? [name] : [])),
  }
}

/** In words, a thing a line; empty where all is done. */
export function tellRest({ certificates, revocations, accounts, tickets, late }: ReplacementRest): readonly string[] {
  return [
    ...certificates.map(
      ({ name, why }) => `the certificate ${name} still has its old key${why === null ? '' : `: ${why}`}`,
    ),
    ...revocations.map((name) => `the old certificate ${name} is not revoked yet`),
    ...accounts.map((directory) => `the account at ${directory} is still the old one`),
    ...(tickets ? ['tickets of TLS sessions still have the old keys'] : []),
    ...late.map((name) => `${name} has not heard all of it`),
  ]
}
