import {
  asMakiError,
  beginOrder,
  type CertificateDuty,
  type CertificateName,
  type CertificateView,
  type Change,
  type ChangeOf,
  failOrder,
  finishOrder,
  type Hostname,
  type Log,
  type Operation,
  ORDER_BOUND_MS,
  type OrderProblem,
  type Runtime,
  type SealEpochKey,
  sealPurpose,
} from '../../../core/index.ts'
import { type AcmeOrder, AuthorityError, type IssuedCertificate } from '../../../edge/index.ts'
import { type OpenCertificate, type Replica, sealValue } from '../../../replication/index.ts'
import type { Accounts } from './accounts.ts'
import { reportExposed } from './revoke-certificate.ts'
import { pause } from './sight.ts'

export interface OrderContext {
  readonly replica: Replica
  readonly accounts: Accounts
  /** As things are at this moment. */
  readonly view: () => CertificateView
  readonly epoch: () => Promise<SealEpochKey>
  /** Durable when it resolves. */
  readonly commit: (changes: readonly Change[]) => Promise<Operation>
  /** Resolves when all nodes show what the operation says. */
  readonly shown: (operation: Operation, signal: AbortSignal) => Promise<void>
  /** The certificate that this name has now. */
  readonly heldOf: (name: CertificateName) => Pick<OpenCertificate, 'chain' | 'directory'> | undefined
  readonly profile: string | undefined
  readonly runtime: Runtime
  readonly log: Log
}

type OrderDuty = Extract<CertificateDuty, { kind: 'order' }>

const STOPPED: OrderProblem = { type: 'cut-off', detail: 'The node stopped while it was ordering.' }

/** An account is replaced in some seconds, if it can be; what is urgent waits no longer for that. */
const ROLL_MS = 15_000
const ROLL_LOOK_MS = 200

/** All of an order: somewhat less than until others take it for cut off. */
const WHOLE_MS = ORDER_BOUND_MS - 5 * 60_000

/** How long authorities are shown what they asked for, if nobody ends it. */
const SHOWN_MS = 3_600_000

/**
 * Orders a certificate. That it is ordered is durable before the authority hears of it; the certificate, the end of the order and the
 * end of what was shown are one operation. True when there is a new certificate; what went wrong is written down, not thrown. Rejects
 * where the signal ends it, which is written down too, or nothing can be written.
 */
export async function runOrder(duty: OrderDuty, context: OrderContext, ended: AbortSignal): Promise<boolean> {
  const { view, commit, log, runtime } = context
  const { wanted, directory, because } = duty
  const { name, names } = wanted
  await commit([beginOrder(view(), wanted, directory)])
  log.info('certificates.order-begun', { name, names, directory, because })
  let shown: readonly Hostname[] = []
  const late = new AbortController()
  const cancel = runtime.after(WHOLE_MS, () => late.abort(isLate(directory)))
  const signal = AbortSignal.any([ended, late.signal])
  try {
    const order = await placeOrder(duty, context, signal)
    if (order.challenges.length > 0) {
      const changes = listChallenges(order, runtime.now() + SHOWN_MS)
      shown = changes.map(({ host }) => host)
      await context.shown(await commit(changes), signal)
      await order.validate(signal)
    }
    const issued = await order.finish(signal)
    await commit([...(await listResults(duty, issued, context)), ...endShown(shown, view())])
    log.info('certificates.issued', { name, names: issued.names, directory, notAfterMs: issued.notAfterMs })
    return true
  } catch (error) {
    const problem = ended.aborted ? STOPPED : describeProblem(error)
    log.warn('certificates.order-failed', { name, directory, ...problem })
    const failed = failOrder(view(), name, problem)
    await commit([...(failed === undefined ? [] : [failed]), ...endShown(shown, view())])
    if (ended.aborted) throw error
    return false
  } finally {
    cancel()
  }
}

const isLate = (directory: string): AuthorityError =>
  new AuthorityError('unreachable', `the order from ${directory} took more than ${WHOLE_MS / 60_000} minutes`)

/** An account that the authority does not know any more, or that somebody ended, is replaced, once. */
async function placeOrder(
  { wanted, directory }: OrderDuty,
  context: OrderContext,
  signal: AbortSignal,
): Promise<AcmeOrder> {
  const { accounts, profile, heldOf } = context
  await waitForRoll(directory, context, signal)
  const authority = accounts.authority(directory)
  const { profiles } = await authority.describe(signal)
  const held = heldOf(wanted.name)
  const request = {
    names: wanted.names,
    ways: wanted.ways,
    ...(profile !== undefined && profiles.includes(profile) ? { profile } : {}),
    // Another authority's is nothing to this one.
    ...(held?.directory === directory ? { replaces: held.chain } : {}),
  }
  const account = await accounts.require(directory, signal)
  try {
    return await authority.order(account, request, signal)
  } catch (error) {
    const type = error instanceof AuthorityError ? error.type : undefined
    const isGone =
      type === 'accountDoesNotExist' || (type === 'unauthorized' && (await authority.hasEnded(account, signal)))
    if (!isGone) throw error
    return await authority.order(await accounts.begin(directory, signal), request, signal)
  }
}

/** What is ordered with an account whose key others may know is refused as soon as some node ends that account. */
async function waitForRoll(directory: string, { view, runtime }: OrderContext, signal: AbortSignal): Promise<void> {
  const endMs = runtime.monotonic() + ROLL_MS
  while (view().exposedAccounts.has(directory) && runtime.monotonic() < endMs)
    await pause(ROLL_LOOK_MS, runtime, signal)
}

function listChallenges({ challenges }: AcmeOrder, untilMs: number): readonly ChangeOf<'challenge.set'>[] {
  const byHost = Map.groupBy(challenges, ({ host }) => host)
  return [...byHost].map(([host, asked]) => ({
    kind: 'challenge.set',
    host,
    http: asked.flatMap(({ type, token, authorization }) => (type === 'http-01' ? [{ token, authorization }] : [])),
    dns: asked.flatMap(({ type, digest }) => (type === 'dns-01' ? [digest] : [])),
    untilMs: Math.floor(untilMs),
  }))
}

const endShown = (hosts: readonly Hostname[], { self }: CertificateView): readonly Change[] =>
  hosts.map((host) => ({ kind: 'challenge.remove', host, author: self }))

/** What the one operation says that ends an order well. */
async function listResults(
  { wanted, directory, because }: OrderDuty,
  issued: IssuedCertificate,
  context: OrderContext,
): Promise<readonly Change[]> {
  const { name } = wanted
  const { replica, runtime } = context
  const place = { cluster: replica.cluster, purpose: sealPurpose.certificate(name) }
  const key = sealValue(await context.epoch(), new TextEncoder().encode(issued.key), place, runtime)
  const done = finishOrder(context.view(), name)
  return [
    ...(because === 'exposed' ? await reportExposed(name, context) : []),
    {
      kind: 'certificate.set',
      name,
      names: [...issued.names],
      chain: issued.chain,
      key,
      notBeforeMs: issued.notBeforeMs,
      notAfterMs: issued.notAfterMs,
      directory,
    },
    ...(done === undefined ? [] : [done]),
  ]
}

function describeProblem(thrown: unknown): OrderProblem {
  const error = asMakiError(thrown)
  if (!(error instanceof AuthorityError)) return { type: error.code, detail: error.message }
  const { type, message, identifier, retryAfterMs } = error
  return {
    type,
    detail: message,
    ...(identifier === undefined ? {} : { name: identifier }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}
