import { createHash } from 'node:crypto'
import type { MemberKey } from '../ids.ts'
import type { CertificateName } from '../operation/index.ts'
import { keys, listOrders, type OrderValue, type OrderView } from '../state/index.ts'
import type { CertificateView } from './ports.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
export const WEEK_MS = 7 * 24 * HOUR_MS

/** How long an order may be under way; then it is taken for cut off, and somebody else begins one. */
export const ORDER_BOUND_MS = 30 * MINUTE_MS
/** The longest that an authority's wish to be left alone is heeded: rate limits count by the week. */
export const MAX_RETRY_MS = WEEK_MS
/** Failures after which the authority has issued all the same. They may well be this node's own: its clock, most of all. */
export const ISSUED_ANYWAY: ReadonlySet<string> = new Set(['wrong-certificate', 'clock'])
export const LONGEST_BACK_OFF_MS = 12 * HOUR_MS
/** A name that was refused: its owner has to do something. */
const FIRST_REFUSAL_MS = HOUR_MS
/** Of the orders of a node that was removed, as many as cannot use up what is kept for the day after. */
const MOST_OF_REMOVED = 3

/** An order that ended with a certificate. */
export type Issued = NonNullable<OrderValue['issued']>[number]
/** How an authority fails. */
export type Trouble = NonNullable<OrderValue['troubles']>[number]
/** A name that an authority does not take. */
export type Refusal = NonNullable<OrderValue['refused']>[number]

/** What all nodes know together of the orders of one certificate. */
export interface OrderHistory {
  /** Of the past week, first to last. */
  readonly startedMs: readonly number[]
  /** Of the past week. */
  readonly issued: readonly Issued[]
  /** Who orders it now, and when others do. */
  readonly open: { readonly author: MemberKey; readonly untilMs: number } | undefined
  /** In a row, of all nodes. */
  readonly failures: number
  readonly troubles: ReadonlyMap<string, Trouble>
  /** Nodes that reached no authority more than once: others go before them. */
  readonly deaf: ReadonlySet<MemberKey>
  readonly refused: ReadonlyMap<CertificateName, Refusal>
}

/** How long nobody tries again after so many failures in a row: a minute, doubling up to twelve hours. */
export const backOffMs = (failures: number): number =>
  failures <= 0 ? 0 : Math.min(MINUTE_MS * 2 ** Math.min(failures - 1, 30), LONGEST_BACK_OFF_MS)

/** How long a name that was refused so often is left out. */
export const refusalMs = (failures: number): number =>
  Math.min(FIRST_REFUSAL_MS * 2 ** Math.min(Math.max(0, failures - 1), 30), 2 * LONGEST_BACK_OFF_MS)

/** Stands for a set of names; equal sets have equal ones. */
export const setOf = (names: readonly CertificateName[]): string =>
  createHash('sha256')
    .update([...names].sort().join(' '))
    .digest('hex')
    .slice(0, 32)

/**
 * Puts together what every node said of its orders of a certificate. Times that others said count at most from when they said
 * them, and back-offs are bounded from there: no clock that runs ahead keeps anybody waiting. Pure.
 */
export function readHistory(view: CertificateView, name: CertificateName): OrderHistory {
  const orders = listOrders(view.state, name)
  const live = orders.filter(({ author }) => view.state.get(keys.node(author)) !== undefined)
  const isRecent = (startedMs: number) => startedMs > view.nowMs - WEEK_MS
  const startedMs = orders.flatMap((order) => {
    const own = order.startedMs.map((ms) => Math.min(ms, order.saidMs)).filter(isRecent)
    return live.includes(order) ? own : own.slice(-MOST_OF_REMOVED)
  })
  const issued = live
    .flatMap((order) =>
      (order.issued ?? []).map((one) => ({ ...one, startedMs: Math.min(one.startedMs, order.saidMs) })),
    )
    .filter((one) => isRecent(one.startedMs))
  const cutOff = live.filter((order) => order.phase === 'open' && !isUnderWay(view, order))
  return {
    startedMs: startedMs.sort((a, b) => a - b),
    issued,
    open: findOpen(view, live),
    ...readTroubles(view, live, cutOff),
    refused: readRefused(live),
  }
}

/** Whether its author is at it, as far as can be seen from here. */
export function isUnderWay(view: CertificateView, order: OrderView): boolean {
  if (order.phase !== 'open') return false
  const isOwn = order.author === view.self
  if (isOwn && view.running !== undefined) return view.running.has(order.name)
  return view.nowMs - order.saidMs < ORDER_BOUND_MS && (isOwn || view.up.has(order.author))
}

function findOpen(view: CertificateView, orders: readonly OrderView[]): OrderHistory['open'] {
  const open = orders.filter((order) => isUnderWay(view, order)).sort((a, b) => b.saidMs - a.saidMs)
  const [last] = open
  // Not later than from now: its author's clock may run ahead.
  return last && { author: last.author, untilMs: Math.min(last.saidMs, view.nowMs) + ORDER_BOUND_MS }
}

function readTroubles(
  view: CertificateView,
  orders: readonly OrderView[],
  cutOff: readonly OrderView[],
): Pick<OrderHistory, 'failures' | 'troubles' | 'deaf'> {
  const deaf = new Set<MemberKey>()
  const troubles = new Map<string, Trouble>()
  let failures = 0
  for (const order of orders) {
    const said = [...saidTroubles(order), ...(cutOff.includes(order) ? [cutOffTrouble(order)] : [])]
    const isCurrent = said.filter(
      ({ directory, retryMs }) =>
        order.saidMs > lastIssuedMs(orders, directory) &&
        view.nowMs < Math.min(retryMs, order.saidMs + WEEK_MS) + WEEK_MS,
    )
    // One that was cut off counts as soon as its author says so: until then not everybody sees it.
    if (isCurrent.length > 0) failures += order.failures
    if (isCurrent.some(({ type, failures }) => type === 'unreachable' && failures > 1)) deaf.add(order.author)
    for (const one of isCurrent) {
      const known = troubles.get(one.directory)
      const isOthers = order.author !== view.self && ISSUED_ANYWAY.has(one.type)
      const retryMs = isOthers ? 0 : Math.min(one.retryMs, order.saidMs + MAX_RETRY_MS)
      const isLater = known === undefined || retryMs >= known.retryMs
      troubles.set(one.directory, {
        directory: one.directory,
        failures: (known?.failures ?? 0) + one.failures,
        retryMs: Math.max(retryMs, known?.retryMs ?? 0),
        type: isLater ? one.type : known.type,
      })
    }
  }
  return { failures, troubles, deaf }
}

/** Also of one that was written without them. */
function saidTroubles({
  troubles,
  phase,
  directory,
  failures,
  retryMs,
  saidMs,
  problem,
}: OrderView): readonly Trouble[] {
  if (troubles !== undefined) return troubles
  if (phase !== 'failed') return []
  const count = Math.max(1, failures)
  return [
    { directory, failures: count, retryMs: retryMs ?? saidMs + backOffMs(count), type: problem?.type ?? 'failed' },
  ]
}

const cutOffTrouble = ({ directory, saidMs, failures }: OrderView): Trouble => ({
  directory,
  failures: 1,
  retryMs: saidMs + backOffMs(failures + 1),
  type: 'cut-off',
})

/** When the authority last certified these names, by what was said of it; 0 for never. */
const lastIssuedMs = (orders: readonly OrderView[], directory: string): number =>
  Math.max(
    0,
    ...orders.flatMap((order) => [
      ...(order.phase === 'done' && order.directory === directory ? [order.saidMs] : []),
      ...(order.issued ?? [])
        .filter((one) => one.directory === directory)
        .map((one) => Math.min(one.startedMs, order.saidMs)),
    ]),
  )

/** Names that an authority took since then are none. */
function readRefused(orders: readonly OrderView[]): ReadonlyMap<CertificateName, Refusal> {
  const refused = new Map<CertificateName, Refusal>()
  for (const order of orders) {
    for (const one of order.refused ?? []) {
      const isTaken = orders.some(
        (other) => other.phase === 'done' && other.saidMs > order.saidMs && other.names.includes(one.name),
      )
      const known = refused.get(one.name)
      const retryMs = Math.min(one.retryMs, order.saidMs + 2 * LONGEST_BACK_OFF_MS)
      if (isTaken || (known !== undefined && known.retryMs >= retryMs)) continue
      refused.set(one.name, { ...one, retryMs })
    }
  }
  return refused
}
