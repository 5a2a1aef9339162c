import type { CertificateName, ChangeOf } from '../operation/index.ts'
import { keys, listOrders, type OrderView } from '../state/index.ts'
import {
  backOffMs,
  ISSUED_ANYWAY,
  type Issued,
  isUnderWay,
  LONGEST_BACK_OFF_MS,
  MAX_RETRY_MS,
  type OrderHistory,
  type Refusal,
  readHistory,
  refusalMs,
  setOf,
  type Trouble,
  WEEK_MS,
} from './order-history.ts'
import type { CertificateView, WantedCertificate } from './ports.ts'
import { hostOf } from './wanted.ts'

/** What a node writes down of its orders, so that every node, itself after a crash too, knows how they went. */
export type OrderChange = ChangeOf<'certificate.order'>

/** Why an order did not end with a certificate. */
export interface OrderProblem {
  /** An error type of RFC 8555 section 6.7 without its prefix, or one of ours. */
  readonly type: string
  readonly detail: string
  /** The name that it is about, with or without `*.`. */
  readonly name?: string | undefined
  /** How long the authority wants to be left alone. */
  readonly retryAfterMs?: number | undefined
}

/** What outlasts an order. */
interface Remembered {
  readonly issued: readonly Issued[]
  readonly troubles: readonly Trouble[]
  readonly refused: readonly Refusal[]
}

const MAX_STARTED = 200
const MAX_TROUBLES = 20
const MAX_REFUSED = 100
/** What others said may be any number that an operation can hold. */
const MAX_FAILURES = 1_000_000
const MAX_TEXT = 1000
const MAX_TYPE = 100

/** Written, and durable, before the authority hears of the order: it counts whatever happens then. */
export function beginOrder(view: CertificateView, wanted: WantedCertificate, directory: string): OrderChange {
  const history = readHistory(view, wanted.name)
  const own = findOwn(view, wanted.name)
  const isCutOff = own?.phase === 'open'
  return {
    kind: 'certificate.order',
    name: wanted.name,
    names: wanted.names,
    directory,
    phase: 'open',
    ...carry(view, own, history),
    startedMs: [...recent(view, own), Math.floor(view.nowMs)].slice(-MAX_STARTED),
    failures: isCutOff ? oneMore(own.failures) : (own?.failures ?? 0),
  }
}

/** Written when an order of this node ends without a certificate. */
export function failOrder(
  seen: CertificateView,
  name: CertificateName,
  problem: OrderProblem,
): OrderChange | undefined {
  const view = during(seen, name)
  const own = findOwn(view, name)
  if (own === undefined) return undefined
  const history = readHistory(view, name)
  const kept = carry(view, own, history)
  const nowMs = Math.floor(view.nowMs)
  const named = own.names.filter((one) => one === problem.name || hostOf(one) === problem.name)
  const isOnlyThose = named.length === own.names.length
  const refusals = isOnlyThose ? [] : named
  const isProgress = refusals.some((one) => (history.refused.get(one)?.retryMs ?? 0) <= nowMs)
  const before = history.troubles.get(own.directory)?.failures ?? 0
  // The authority answers, and a name that is left out from now on is no reason to keep the others waiting.
  const failures = isProgress ? 1 : before + 1
  const isIssued = ISSUED_ANYWAY.has(problem.type)
  const leastMs = isIssued ? LONGEST_BACK_OFF_MS : backOffMs(failures)
  const waitMs = Math.max(leastMs, Math.min(problem.retryAfterMs ?? 0, MAX_RETRY_MS))
  const retryMs = nowMs + Math.floor(waitMs)
  const startedMs = recent(view, own)
  const detail = problem.detail.slice(0, MAX_TEXT)
  const [aboutName] = named
  const type = problem.type.slice(0, MAX_TYPE)
  return {
    ...withoutKind(own),
    phase: 'failed',
    ...kept,
    startedMs,
    issued: isIssued ? [...kept.issued, issuedOf(own, startedMs, nowMs)].slice(-MAX_STARTED) : kept.issued,
    failures: oneMore(own.failures),
    retryMs,
    problem: { type, detail, ...(aboutName === undefined ? {} : { name: aboutName }) },
    troubles: [
      // Counted alone: what other nodes saw stands in their own.
      { directory: own.directory, failures: ownFailures(own, isProgress), retryMs, type },
      ...kept.troubles.filter((one) => one.directory !== own.directory),
    ].slice(0, MAX_TROUBLES),
    refused: [
      ...refusals.map((one) => {
        const count = oneMore(history.refused.get(one)?.failures)
        return { name: one, failures: count, retryMs: nowMs + refusalMs(count), detail }
      }),
      ...kept.refused.filter((one) => !refusals.includes(one.name)),
    ].slice(0, MAX_REFUSED),
  }
}

/** Written in the operation that has the certificate. */
export function finishOrder(seen: CertificateView, name: CertificateName): OrderChange | undefined {
  const view = during(seen, name)
  const own = findOwn(view, name)
  if (own === undefined) return undefined
  const { troubles, refused, issued } = carry(view, own, readHistory(view, name))
  const startedMs = recent(view, own)
  const { directory, names } = own
  const one = issuedOf(own, startedMs, Math.floor(view.nowMs))
  return {
    ...withoutKind(own),
    phase: 'done',
    startedMs,
    failures: 0,
    issued: [...issued, one].slice(-MAX_STARTED),
    troubles: troubles.filter((trouble) => trouble.directory !== directory),
    refused: refused.filter((refusal) => !names.includes(refusal.name)),
  }
}

/** Written where nothing can be ordered as things are, so that everybody can say why. It is no failure. */
export function waitOrder(
  view: CertificateView,
  wanted: WantedCertificate,
  directory: string,
  { type, detail }: OrderProblem,
): OrderChange {
  const own = findOwn(view, wanted.name)
  return {
    kind: 'certificate.order',
    name: wanted.name,
    names: wanted.names,
    directory,
    phase: 'waiting',
    startedMs: recent(view, own),
    failures: own?.failures ?? 0,
    problem: { type: type.slice(0, MAX_TYPE), detail: detail.slice(0, MAX_TEXT) },
    ...carry(view, own, readHistory(view, wanted.name)),
  }
}

/** Written when a node starts: its orders that a crash cut off. Others need not wait for them. */
export function failCutOff(view: CertificateView): readonly OrderChange[] {
  return view.state.ids('order').flatMap((id) => {
    const own = findOwn(view, id as CertificateName)
    if (own?.phase !== 'open' || isUnderWay(view, own)) return []
    return failOrder(view, own.name, { type: 'cut-off', detail: 'The node stopped while it was ordering.' }) ?? []
  })
}

/** The order that ends now was not cut off. */
const during = (view: CertificateView, name: CertificateName): CertificateView => ({
  ...view,
  running: new Set([...(view.running ?? []), name]),
})

const findOwn = (view: CertificateView, name: CertificateName): OrderView | undefined =>
  view.state.get(keys.order(name, view.self)) === undefined
    ? undefined
    : listOrders(view.state, name).find(({ author }) => author === view.self)

const issuedOf = ({ directory, names }: OrderView, startedMs: readonly number[], nowMs: number): Issued => ({
  startedMs: startedMs.at(-1) ?? nowMs,
  directory,
  set: setOf(names),
})

const ownFailures = ({ troubles, directory }: OrderView, isProgress: boolean): number => {
  const before = troubles?.find((one) => one.directory === directory)?.failures ?? 0
  return isProgress ? 1 : oneMore(before)
}

const oneMore = (failures = 0): number => Math.min(failures + 1, MAX_FAILURES)

/** What is still true of what this node said before. */
function carry(view: CertificateView, own: OrderView | undefined, history: OrderHistory): Remembered {
  return {
    issued: (own?.issued ?? [])
      .map((one) => ({ ...one, startedMs: clampTime(view, own, one.startedMs) }))
      .filter(({ startedMs }) => startedMs > view.nowMs - WEEK_MS),
    troubles: (own?.troubles ?? []).filter(({ directory }) => history.troubles.has(directory)),
    refused: (own?.refused ?? []).filter(
      ({ name, retryMs }) => history.refused.has(name) && retryMs > view.nowMs - WEEK_MS,
    ),
  }
}

const recent = (view: CertificateView, own: OrderView | undefined): readonly number[] =>
  (own?.startedMs ?? []).map((ms) => clampTime(view, own, ms)).filter((ms) => ms > view.nowMs - WEEK_MS)

/** The own clock may have run ahead once. */
const clampTime = (view: CertificateView, own: OrderView | undefined, ms: number): number =>
  Math.min(ms, own?.saidMs ?? ms, Math.floor(view.nowMs))

const withoutKind = ({
  name,
  names,
  directory,
}: OrderView): Pick<OrderChange, 'kind' | 'name' | 'names' | 'directory'> => ({
  kind: 'certificate.order',
  name,
  names,
  directory,
})
