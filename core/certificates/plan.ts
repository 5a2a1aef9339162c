import type { MemberKey } from '../ids.ts'
import type { CertificateName } from '../operation/index.ts'
import { keys, listRevocations } from '../state/index.ts'
import type { HostJudge } from './host-judge.ts'
import { mayOrder, type OrderWish } from './may-order.ts'
import { type OrderHistory, readHistory } from './order-history.ts'
import { planAccounts, planChallenges, planRevocations, rankNodes, rankOf } from './other-duties.ts'
import type {
  CertificateDuty,
  CertificatePlan,
  CertificateView,
  HeldCertificate,
  RenewalReason,
  UncoveredName,
  WaitingCertificate,
  WantedCertificate,
} from './ports.ts'
import { judgeRenewal, type RenewalTimes } from './renewal.ts'
import { createJudge, listWanted, narrowWanted } from './wanted.ts'

/** How long a duty of rank 1 stays undone before that node does it; of rank 2 twice as long. */
export const RANK_PATIENCE_MS = 5 * 60_000

/** How long a certificate that this node cannot open is left to those who can. */
const UNOPENED_MS = 3_600_000

/** How long one that is over, and that nothing asks for, stays to be seen. */
const OVER_MS = 7 * 24 * 3_600_000

/** First what is worst. */
const REASONS: readonly RenewalReason[] = ['exposed', 'revoked', 'missing', 'names', 'due', 'authority', 'directory']

/** A certificate that this node opened, and when it is renewed. */
interface Judged {
  readonly held: HeldCertificate
  readonly times: RenewalTimes
}

/** By the names that certificates have. */
type Shelf = ReadonlyMap<string, readonly Judged[]>

/** What becomes of one wanted certificate. */
interface Outcome {
  readonly duty?: CertificateDuty
  readonly waiting?: WaitingCertificate
  readonly uncovered?: readonly UncoveredName[]
  readonly nextMs?: readonly number[]
}

/**
 * Which certificates the cluster should have, and what there is to do about them: pure, and the same on every node but for who
 * is up and what was found out. Nothing is ordered twice because two nodes found out different things: a certificate that has
 * more names than are wanted is fine.
 *
 * An order is first the node's whose key rendezvous hashing picks; each failure passes it on to the next, so that one node that cannot
 * reach the authority keeps nobody from a certificate.
 */
export function planCertificates(view: CertificateView): CertificatePlan {
  const judge = createJudge(view)
  const { wanted, uncovered } = listWanted(view, judge)
  const revoked = new Set(listRevocations(view.state).map(({ value }) => value.id))
  const judged = [...view.held.values()].map((held) => ({
    held,
    times: judgeRenewal(held, {
      window: view.renewals.get(held.id),
      revoked: revoked.has(held.id),
      directories: view.directories,
    }),
  }))
  const shelf = shelve(judged)
  const outcomes = wanted.map((certificate) => planOne(view, judge, shelf, certificate))
  const challenges = planChallenges(view)
  const orders = outcomes.flatMap(({ duty }) => duty ?? [])
  const drops = planDrops(view, judged, shelf, wanted)
  const rolls = planAccounts(view)
  const isConfigured = ({ directory }: { readonly directory: string }) => view.directories.includes(directory)
  const nextMs = [...challenges.nextMs, ...drops.nextMs, ...outcomes.flatMap((outcome) => outcome.nextMs ?? [])]
  const all = [...uncovered, ...outcomes.flatMap((outcome) => outcome.uncovered ?? [])]
  return {
    wanted,
    uncovered: all.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
    // A node that was stolen may have written any number of challenges, and of accounts where nobody answers.
    duties: [
      ...rolls.filter(isConfigured),
      ...orders,
      ...drops.duties,
      ...planRevocations(view),
      ...challenges.duties,
      ...rolls.filter((duty) => !isConfigured(duty)),
    ],
    waiting: outcomes.flatMap(({ waiting }) => waiting ?? []),
    nextMs: earliest(nextMs),
  }
}

/**
 * Certificates that nodes got and nothing asks for: one whose key others may know goes at once, but not before each of its names that
 * is still wanted has another; one that is over goes some days after. What was imported is its owner's.
 */
function planDrops(
  view: CertificateView,
  judged: readonly Judged[],
  shelf: Shelf,
  wanted: readonly WantedCertificate[],
): { readonly duties: readonly CertificateDuty[]; readonly nextMs: readonly number[] } {
  const duties: CertificateDuty[] = []
  const nextMs: number[] = []
  const names = new Set(wanted.map(({ name }) => name))
  const needed = new Set(wanted.flatMap((certificate) => certificate.names))
  const isElsewhere = (name: CertificateName) => findHaving(shelf, name).some(({ times }) => times.dueMs > view.nowMs)
  for (const { held } of judged) {
    if (held.directory === undefined || names.has(held.name)) continue
    const overMs = held.notAfterMs + OVER_MS
    const isOver = view.nowMs >= overMs
    if (!isOver) nextMs.push(overMs)
    const isFree = held.exposed && held.names.every((name) => !needed.has(name) || isElsewhere(name))
    const id = `certificate/${held.name}/${held.id}`
    const rank = rankOf(view, id)
    if (rank !== undefined && (isOver || isFree))
      duties.push({ kind: 'drop', id, rank, name: held.name, certificate: held.id, revoke: held.exposed && !isOver })
  }
  return { duties, nextMs }
}

function planOne(view: CertificateView, judge: HostJudge, shelf: Shelf, certificate: WantedCertificate): Outcome {
  if (view.directories.length === 0) return {}
  const lasting = findWish(view, shelf, certificate)
  if (typeof lasting === 'number') return { nextMs: [lasting] }
  const history = readHistory(view, certificate.name)
  const { wanted, uncovered, nextMs: refusedMs } = leaveOutRefused(view, history, shelf, certificate)
  const wish = findWish(view, shelf, wanted)
  if (typeof wish === 'number') return { uncovered, nextMs: [wish, ...refusedMs] }
  const wait = (code: WaitingCertificate['code'], reason: string, atMs?: number): Outcome => ({
    uncovered,
    nextMs: atMs === undefined ? refusedMs : [atMs, ...refusedMs],
    waiting: { name: wanted.name, code, reason, ...(atMs === undefined ? {} : { nextMs: atMs }) },
  })
  const unopenedMs = findUnopened(view, wanted.name)
  if (unopenedMs !== undefined) return wait('ordering', 'This node cannot open the certificate yet.', unopenedMs)
  if (history.open !== undefined) return wait('ordering', 'It is being ordered.', history.open.untilMs)
  const ranks = takeTurns(rankNodes(view, `certificate/${wanted.name}`), history)
  const rank = ranks.indexOf(view.self)
  if (rank === -1) return wait('nobody-up', 'This node is none of the cluster, or sees none.')
  const permit = mayOrder(view, judge, history, wish)
  if (!('directory' in permit)) return wait(permit.code, permit.reason, permit.nextMs)
  const { directory } = permit
  if (view.exposedAccounts.has(directory) && !wish.urgent)
    return wait('back-off', `The account at ${directory} is being replaced.`)
  // Nodes whose configuration names different authorities would take turns for ever: the first one's counts.
  if (wish.because === 'directory' && rank > 0) return { uncovered, nextMs: refusedMs }
  const id = `order/${wanted.name}/${history.startedMs.at(-1) ?? 0}`
  return { uncovered, nextMs: refusedMs, duty: { kind: 'order', id, rank, wanted, directory, because: wish.because } }
}

/** Each failure passes it on to the next, and who reaches no authority comes after those who do. */
function takeTurns(ranks: readonly MemberKey[], { failures, deaf }: OrderHistory): readonly MemberKey[] {
  const first = ranks.length === 0 ? 0 : failures % ranks.length
  const turned = [...ranks.slice(first), ...ranks.slice(0, first)]
  return [...turned.filter((key) => !deaf.has(key)), ...turned.filter((key) => deaf.has(key))]
}

/**
 * Why it has to be ordered; or, where every name has a certificate that lasts, until when. Whichever certificate has a name will do.
 */
function findWish(view: CertificateView, shelf: Shelf, wanted: WantedCertificate): OrderWish | number {
  const reasons = new Set<RenewalReason>()
  let urgent = false
  let lastsMs = Number.POSITIVE_INFINITY
  let lifeMs: number | undefined
  const own = view.held.get(wanted.name)
  for (const name of wanted.names) {
    const having = [...findHaving(shelf, name)].sort((a, b) => b.times.dueMs - a.times.dueMs)
    const best = having.find(({ times }) => times.dueMs > view.nowMs)
    if (best !== undefined) {
      lastsMs = Math.min(lastsMs, best.times.dueMs)
      continue
    }
    const [worn] = having
    if (worn === undefined) reasons.add(own === undefined ? 'missing' : 'names')
    else reasons.add(worn.times.because === 'authority' && view.nowMs >= worn.times.ownMs ? 'due' : worn.times.because)
    if (having.every(({ times }) => view.nowMs >= times.urgentMs)) urgent = true
    const held = own ?? worn?.held
    if (held !== undefined) lifeMs = held.notAfterMs - held.notBeforeMs
  }
  const because = REASONS.find((reason) => reasons.has(reason))
  return because === undefined ? lastsMs : { wanted, because, urgent, lifeMs }
}

/**
 * Without the names that were refused lately, where there are others. A name that a present certificate has stays in while
 * there is time: to leave it out would take away what still works.
 */
function leaveOutRefused(
  view: CertificateView,
  history: OrderHistory,
  shelf: Shelf,
  certificate: WantedCertificate,
): { wanted: WantedCertificate; uncovered: readonly UncoveredName[]; nextMs: readonly number[] } {
  const isSafe = (name: CertificateName) => findHaving(shelf, name).some(({ times }) => view.nowMs < times.urgentMs)
  const out = certificate.names.flatMap((name) => {
    const refusal = history.refused.get(name)
    return refusal === undefined || refusal.retryMs <= view.nowMs || isSafe(name) ? [] : refusal
  })
  if (out.length === 0 || out.length === certificate.names.length)
    return { wanted: certificate, uncovered: [], nextMs: [] }
  const names = certificate.names.filter((name) => !out.some((one) => one.name === name))
  return {
    wanted: narrowWanted(certificate, names),
    uncovered: out.map(({ name, detail }) => ({
      name,
      code: 'refused',
      reason: `The authority refuses ${name}: ${detail}. It is tried again.`,
    })),
    nextMs: out.map(({ retryMs }) => retryMs),
  }
}

/** Until when a certificate that is there, but cannot be opened here, is nothing to replace. */
function findUnopened(view: CertificateView, name: CertificateName): number | undefined {
  const entry = view.state.get(keys.certificate(name))
  if (entry === undefined || view.held.has(name)) return undefined
  const untilMs = entry.stamp.wallMs + UNOPENED_MS
  return view.nowMs < untilMs ? untilMs : undefined
}

function shelve(judged: readonly Judged[]): Shelf {
  const shelf = new Map<string, Judged[]>()
  for (const one of judged) {
    for (const name of new Set(one.held.names)) {
      const known = shelf.get(name)
      if (known === undefined) shelf.set(name, [one])
      else known.push(one)
    }
  }
  return shelf
}

/** Certificates that are valid for a name, as `coversName` says. */
function findHaving(shelf: Shelf, name: CertificateName): readonly Judged[] {
  const exact = shelf.get(name) ?? []
  const wild = name.startsWith('*.') ? undefined : shelf.get(`*${name.slice(name.indexOf('.'))}`)
  return wild === undefined ? exact : [...new Set([...exact, ...wild])]
}

function earliest(times: readonly number[]): number | undefined {
  const finite = times.filter(Number.isFinite)
  return finite.length === 0 ? undefined : Math.min(...finite)
}
