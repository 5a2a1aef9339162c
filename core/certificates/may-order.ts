import type { HostJudge } from './host-judge.ts'
import { type OrderHistory, setOf, type Trouble, WEEK_MS } from './order-history.ts'
import type { CertificateView, RenewalReason, WaitingCertificate, WantedCertificate } from './ports.ts'
import { renewalShare } from './renewal.ts'

const HOUR_MS = 3_600_000
/** Let's Encrypt's limit for failed validations of a name. */
const STARTS_AN_HOUR = 5
const STARTS_A_WEEK = 60
/** With the same names, of one authority; Let's Encrypt's limit is five. The rest is kept for the day on which a key is stolen. */
const ISSUES_A_WEEK = { renewal: 3, missing: 4, emergency: 5 } as const
/** However short an authority makes lives: one every two hours. */
const MOST_ISSUES_A_WEEK = 84
/** With any names, of any authority. */
const ANY_ISSUES_A_WEEK = 20
/** Failures in a row after which another authority is asked. */
const FALLBACK_FAILURES = 3
/** What is no fault of ours, nor will be better at once. */
const FALLBACK_TYPES = new Set(['rateLimited', 'unreachable', 'nonsense', 'serverInternal'])

/** What is to be ordered, and how much depends on it. */
export interface OrderWish {
  readonly wanted: WantedCertificate
  readonly because: RenewalReason
  /** Visitors see an error, or will soon. */
  readonly urgent: boolean
  /** Of the certificate that is there, milliseconds. */
  readonly lifeMs: number | undefined
}

/** At which authority it may be ordered now; or why at none, and when at one. */
export type OrderPermit = { readonly directory: string } | Pick<WaitingCertificate, 'code' | 'reason' | 'nextMs'>

/**
 * Whether an order may begin, and where: never a loop of orders, whatever happens. What counts is what all nodes did together.
 *
 * Failures wait a minute, doubling up to twelve hours, and as long as the authority says; five orders begin in an hour at most. With
 * the same names three certificates come of one authority in a week (as many more as short lives need), five where a
 * key is known to others. Another authority is asked only where it is urgent, and the ones before it are in trouble. Pure.
 */
export function mayOrder(view: CertificateView, judge: HostJudge, history: OrderHistory, wish: OrderWish): OrderPermit {
  const limit = findStartLimit(view.nowMs, history)
  if (limit !== undefined) return limit
  const waits: Pick<WaitingCertificate, 'code' | 'reason' | 'nextMs'>[] = []
  for (const [i, directory] of view.directories.entries()) {
    if (i > 0 && !wish.wanted.names.every((name) => judge.permits(name, directory))) continue
    const wait = findDirectoryLimit(view.nowMs, history, wish, directory)
    if (wait === undefined) return { directory }
    waits.push(wait)
    if (!wish.urgent || !helpIsDue(wait, history.troubles.get(directory))) break
  }
  const [first] = waits.sort((a, b) => (a.nextMs ?? Number.POSITIVE_INFINITY) - (b.nextMs ?? Number.POSITIVE_INFINITY))
  return first ?? { code: 'budget', reason: 'No certificate authority is set.' }
}

const helpIsDue = (wait: Pick<WaitingCertificate, 'code'>, trouble: Trouble | undefined): boolean =>
  wait.code === 'budget' ||
  (trouble !== undefined && (trouble.failures >= FALLBACK_FAILURES || FALLBACK_TYPES.has(trouble.type)))

/** Orders that begin, whatever comes of them. */
function findStartLimit(nowMs: number, { startedMs }: OrderHistory): OrderPermit | undefined {
  const ofHour = startedMs.filter((ms) => ms > nowMs - HOUR_MS)
  const first = ofHour.at(-STARTS_AN_HOUR)
  if (first !== undefined)
    return {
      code: 'back-off',
      reason: `${ofHour.length} orders were begun within an hour.`,
      nextMs: Math.min(first, nowMs) + HOUR_MS,
    }
  const oldest = startedMs.at(-STARTS_A_WEEK)
  if (oldest === undefined) return undefined
  const reason = `${startedMs.length} orders were begun within a week.`
  return { code: 'budget', reason, nextMs: Math.min(oldest, nowMs) + WEEK_MS }
}

function findDirectoryLimit(
  nowMs: number,
  history: OrderHistory,
  wish: OrderWish,
  directory: string,
): Pick<WaitingCertificate, 'code' | 'reason' | 'nextMs'> | undefined {
  const trouble = history.troubles.get(directory)
  if (trouble !== undefined && trouble.retryMs > nowMs) {
    const times = trouble.failures === 1 ? 'failed' : `failed ${trouble.failures} times in a row`
    const code = trouble.type === 'rateLimited' ? 'rate-limited' : 'back-off'
    return { code, reason: `Ordering from ${directory} ${times} (${trouble.type}).`, nextMs: trouble.retryMs }
  }
  const set = setOf(wish.wanted.names)
  const all = history.issued
  const same = all.filter((one) => one.directory === directory && one.set === set)
  const most = mostIssues(wish)
  const full = same.length >= most ? same : all.length >= Math.max(ANY_ISSUES_A_WEEK, 2 * most) ? all : undefined
  if (full === undefined) return undefined
  const firstMs = Math.min(nowMs, ...full.map(({ startedMs }) => startedMs))
  return {
    code: 'budget',
    reason: `${full.length} certificates were issued within a week; more would be taken for a mistake.`,
    nextMs: firstMs + WEEK_MS,
  }
}

function mostIssues({ because, lifeMs }: OrderWish): number {
  const kind =
    because === 'exposed' || because === 'revoked' ? 'emergency' : because === 'missing' ? 'missing' : 'renewal'
  const spacingMs = lifeMs === undefined ? WEEK_MS : lifeMs * (1 - renewalShare(lifeMs)) * 0.9
  const byLife = Math.min(MOST_ISSUES_A_WEEK, Math.ceil(WEEK_MS / Math.max(1, spacingMs)))
  // A hostile one wishes it always; its own dates must find something left.
  if (because === 'authority') return Math.max(2, byLife - 1)
  return Math.max(ISSUES_A_WEEK[kind], byLife + (kind === 'emergency' ? 2 : 0))
}
