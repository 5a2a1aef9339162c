import type { MemberKey } from '../ids.ts'
import type { CertificateName } from '../operation/index.ts'
import { rankHolders } from '../rendezvous.ts'
import { type ChallengeView, keys, listChallenges, listOrders, listRevocations } from '../state/index.ts'
import { isUnderWay } from './order-history.ts'
import type { CertificateDuty, CertificateView } from './ports.ts'
import { hostOf } from './wanted.ts'

/** The longest that a challenge is anybody's, whatever its author said. */
const MAX_CHALLENGE_MS = 24 * 3_600_000
/** Clocks differ; an author ends its own itself. */
const CLOCK_GRACE_MS = 10 * 60_000

/** Live nodes of the cluster in the order in which a topic is theirs. The same wherever the same nodes are up. */
export const rankNodes = (view: CertificateView, topic: string): readonly MemberKey[] =>
  rankHolders(
    topic,
    [...view.up].filter((key) => view.state.get(keys.node(key)) !== undefined),
  )

/** This node's place; undefined for one that has no part in it. */
export function rankOf(view: CertificateView, topic: string): number | undefined {
  const at = rankNodes(view, topic).indexOf(view.self)
  return at === -1 ? undefined : at
}

/** Challenges that nobody needs any more, and when others will be such, milliseconds. */
export function planChallenges(view: CertificateView): { duties: readonly CertificateDuty[]; nextMs: number[] } {
  const duties: CertificateDuty[] = []
  const nextMs: number[] = []
  const needed = listOwnHosts(view)
  for (const challenge of listChallenges(view.state)) {
    const { host, author } = challenge
    const overMs = endOf(challenge) + (author === view.self ? 0 : CLOCK_GRACE_MS)
    const isGone = view.state.get(keys.node(author)) === undefined
    const isOver = view.nowMs >= overMs || isGone || (author === view.self && !needed.has(host))
    if (!isOver) {
      nextMs.push(overMs)
      continue
    }
    const id = `challenge/${host}/${author}`
    const rank = author === view.self ? 0 : rankOf(view, id)
    if (rank !== undefined) duties.push({ kind: 'end-challenge', id, rank, host, author })
  }
  return { duties, nextMs }
}

const endOf = ({ untilMs, saidMs }: ChallengeView): number => Math.min(untilMs, saidMs + MAX_CHALLENGE_MS)

/** Hosts that this node shows authorities something for. */
function listOwnHosts(view: CertificateView): ReadonlySet<string> {
  const open = view.state.ids('order').flatMap((id) => {
    const own = view.state.get(keys.order(id as CertificateName, view.self))
    if (own === undefined) return []
    return listOrders(view.state, id as CertificateName).filter(
      (order) => order.author === view.self && isUnderWay(view, order),
    )
  })
  return new Set(open.flatMap(({ names }) => names.map(hostOf)))
}

/** Revocations that are due, once nothing is served with the certificate any more. */
export function planRevocations(view: CertificateView): readonly CertificateDuty[] {
  return listRevocations(view.state).flatMap(({ value: { id: certificate, name, phase } }): CertificateDuty[] => {
    if (phase !== 'due') return []
    const isServed = [...view.held.values()].some((held) => held.id === certificate)
    const isReplaced = view.held.has(name) || view.state.get(keys.certificate(name)) === undefined
    const id = `revocation/${certificate}`
    const rank = rankOf(view, id)
    return isServed || !isReplaced || rank === undefined ? [] : [{ kind: 'revoke', id, rank, certificate }]
  })
}

/** Accounts whose key others may know. */
export function planAccounts(view: CertificateView): readonly Extract<CertificateDuty, { kind: 'roll-account' }>[] {
  return [...view.exposedAccounts].sort().flatMap((directory) => {
    const id = `account/${directory}`
    const rank = rankOf(view, id)
    return rank === undefined ? [] : [{ kind: 'roll-account' as const, id, rank, directory }]
  })
}
