import {
  type CertificateName,
  findNode,
  listOrders,
  listRevocations,
  type OrderView,
  renewalShare,
  type State,
} from '../core/index.ts'
import type { CertificatesReport } from '../edge/index.ts'
import type { CertificateRow } from './certificates.ts'

/** Why something about a certificate is not done now, as a node says. */
export interface CertificateWait {
  readonly code: string
  /** A sentence. */
  readonly reason: string
  /** When it is tried again, ISO 8601; null where something else has to happen first. */
  readonly next: string | null
}

/** How one node got on with ordering. */
export interface OrderRow {
  /** Its name; its key where it is no node any more. */
  readonly node: string
  readonly phase: OrderView['phase']
  readonly directory: string
  readonly at: string
  readonly problem: { readonly type: string; readonly detail: string } | null
  /** ISO 8601; null where nothing waits. */
  readonly retry: string | null
}

/** What nodes do about a certificate by themselves. */
export interface CertificateStanding {
  /** The authority's directory; null for one that was imported, or is not there. */
  readonly directory: string | null
  /** Of its life, 0 to 1; null where there is none. */
  readonly lifeLeft: number | null
  /** It should have been renewed a while ago. */
  readonly isLate: boolean
  /** Last first. */
  readonly orders: readonly OrderRow[]
  /** Of the past week, of all nodes. */
  readonly week: { readonly started: number; readonly issued: number }
  readonly waiting: readonly CertificateWait[]
  /** Certificates of this name that are to be revoked yet, and those that the authority did not take. */
  readonly revocations: { readonly due: number; readonly givenUp: readonly string[] }
}

/** A certificate with what is done about it, or a name that should have one: then what only a certificate has is null. */
export type ListedCertificate = {
  readonly [K in Exclude<keyof CertificateRow, 'name' | 'names'>]: CertificateRow[K] | null
} & CertificateStanding & { readonly name: string; readonly names: readonly string[] }

const WEEK_MS = 7 * 86_400_000

/**
 * The certificates that are there, then by name those that should be. `report` is what a node says; undefined where none was asked, or
 * it gets none. Pure.
 */
export function listStandings(
  state: State,
  rows: readonly CertificateRow[],
  report: CertificatesReport | undefined,
  nowMs: number,
): readonly ListedCertificate[] {
  const known = new Set<string>(rows.map(({ name }) => name))
  const missing = [...(report?.waiting ?? []), ...(report?.uncovered ?? [])].map(({ name }) => name)
  const revoked = listRevocations(state).flatMap(({ value }) => (value.phase === 'done' ? [] : [value.name]))
  const others = [...new Set<string>([...missing, ...revoked])].filter((name) => !known.has(name)).sort()
  return [
    ...rows.map((row) => ({ ...row, ...judge(state, row.name, row, report, nowMs) })),
    ...others.map((name) => ({ ...ABSENT, name, ...judge(state, name, undefined, report, nowMs) })),
  ]
}

const ABSENT = {
  names: [],
  issuer: null,
  notBefore: null,
  notAfter: null,
  daysLeft: null,
  sealed: null,
  directory: null,
  operation: null,
  author: null,
  at: null,
}

function judge(
  state: State,
  name: string,
  row: CertificateRow | undefined,
  report: CertificatesReport | undefined,
  nowMs: number,
): CertificateStanding {
  const orders = [...listOrders(state, name as CertificateName)].sort((a, b) => b.saidMs - a.saidMs)
  const isRecent = (ms: number): boolean => ms > nowMs - WEEK_MS
  const revocations = listRevocations(state).filter(({ value }) => value.name === name)
  return {
    directory: row?.directory ?? null,
    ...judgeLife(row, nowMs),
    orders: orders.map((order) => ({
      node: findNode(state, order.author)?.name ?? order.author,
      phase: order.phase,
      directory: order.directory,
      at: formatTime(order.saidMs),
      problem: order.problem === undefined ? null : { type: order.problem.type, detail: order.problem.detail },
      retry: order.retryMs === undefined || order.phase === 'done' ? null : formatTime(order.retryMs),
    })),
    week: {
      started: orders.flatMap(({ startedMs }) => startedMs.filter(isRecent)).length,
      issued: orders.flatMap(({ issued }) => (issued ?? []).filter(({ startedMs }) => isRecent(startedMs))).length,
    },
    waiting: [
      ...(report?.waiting ?? []).filter((one) => one.name === name),
      ...(report?.uncovered ?? []).filter((one) => one.name === name).map((one) => ({ ...one, next: null })),
    ].map(({ code, reason, next }) => ({ code, reason, next })),
    revocations: {
      due: revocations.filter(({ value }) => value.phase === 'due').length,
      givenUp: revocations.flatMap(({ value }) => (value.phase === 'given-up' ? [value.detail ?? ''] : [])),
    },
  }
}

/** Late is what has less than half left of what there was to be at its renewal: some days, or hours where it lives for days. */
function judgeLife(row: CertificateRow | undefined, nowMs: number): Pick<CertificateStanding, 'lifeLeft' | 'isLate'> {
  const [beginMs, endMs] = [Date.parse(row?.notBefore ?? ''), Date.parse(row?.notAfter ?? '')]
  if (Number.isNaN(beginMs) || Number.isNaN(endMs) || endMs <= beginMs) return { lifeLeft: null, isLate: false }
  const lifeMs = endMs - beginMs
  const left = Math.min(1, Math.max(0, (endMs - nowMs) / lifeMs))
  return { lifeLeft: Math.round(left * 1000) / 1000, isLate: left < renewalShare(lifeMs) / 2 }
}

/** Operations may be made by other versions: a time that no date can show is shown as it is. */
function formatTime(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString()
}
