import { createHash } from 'node:crypto'
import {
  type CertificateName,
  type Change,
  type ChangeOf,
  keys,
  type Log,
  listRevocations,
  listSafeEpochs,
  MakiError,
  type OperationId,
  operationIdFrom,
  parseCertificateChain,
  type RevocationValue,
  type Runtime,
  sealPurpose,
} from '../../../core/index.ts'
import { AuthorityError } from '../../../edge/index.ts'
import type { Replica, SealOpener } from '../../../replication/index.ts'
import type { Accounts } from './accounts.ts'

/** RFC 5280 section 5.3.1: somebody else may have the key. */
const KEY_COMPROMISE = 1
/** Of one name at a time: nodes keep two or three that are valid. */
const MOST_AT_ONCE = 16

/**
 * That certificates of a name are to be revoked: all that are valid and whose keys others may know, not only the one that is served.
 * Whoever opens the present one could open those before it, and what another half of a partition ordered. What is needed for it is kept
 * in the state until it is done.
 */
export async function reportExposed(
  name: CertificateName,
  { replica, runtime }: { readonly replica: Replica; readonly runtime: Pick<Runtime, 'now'> },
): Promise<readonly ChangeOf<'certificate.revoke'>[]> {
  const safe = listSafeEpochs(replica)
  const seen = new Set(listRevocations(replica.state).map(({ value }) => value.id))
  const found: ChangeOf<'certificate.revoke'>[] = []
  for await (const { changes } of replica.history(keys.certificate(name))) {
    for (const change of changes) {
      if (change.kind !== 'certificate.set' || change.name !== name || safe.has(change.key.epoch)) continue
      const { directory, key } = change
      const leaf = readLeaf(change.chain)
      if (directory === undefined || leaf === undefined || leaf.notAfterMs <= runtime.now() || seen.has(leaf.id))
        continue
      seen.add(leaf.id)
      const { id, pem: certificate } = leaf
      const reason = KEY_COMPROMISE
      found.push({ kind: 'certificate.revoke', id, name, certificate, key, directory, reason, phase: 'due' })
      if (found.length === MOST_AT_ONCE) return found
    }
  }
  return found
}

export interface RevokeContext {
  readonly replica: Replica
  readonly seals: SealOpener
  readonly accounts: Accounts
  readonly commit: (changes: readonly Change[]) => Promise<unknown>
  readonly runtime: Pick<Runtime, 'now'>
  readonly log: Log
}

/** Has the authority revoke it, signed with its own key, and writes down how that went. Rejects where it may go better later. */
export async function revokeCertificate(id: OperationId, context: RevokeContext, signal: AbortSignal): Promise<void> {
  const { replica, accounts, commit, log } = context
  const value = listRevocations(replica.state).find((entry) => entry.value.id === id)?.value
  if (value === undefined) return
  const { name, directory, certificate: pem, reason } = value
  try {
    const by = { key: readKey(value, context) }
    await accounts.authority(directory).revoke({ pem, reason, by }, signal)
    await commit([{ ...value, kind: 'certificate.revoke', phase: 'done' }])
    log.info('certificates.revoked', { name, directory })
  } catch (error) {
    if (!(error instanceof Hopeless) && !(error instanceof AuthorityError && FINAL_REFUSALS.has(error.type)))
      throw error
    const detail = error.message.slice(0, 1000)
    await commit([{ ...value, kind: 'certificate.revoke', phase: 'given-up', detail }])
    log.warn('certificates.not-revoked', { name, directory, error })
  }
}

/** That an authority will not revoke, however often it is asked. */
const FINAL_REFUSALS: ReadonlySet<string> = new Set([
  'unauthorized',
  'malformed',
  'badRevocationReason',
  'badPublicKey',
])

/** Asking anybody would change nothing. */
class Hopeless extends MakiError {
  constructor(why: string, cause?: unknown) {
    super('MAKI_INVALID', why, { cause, hint: 'It counts until it expires.' })
  }
}

/** Who was a node once may have written anything. */
function readKey({ id, name, certificate, key }: RevocationValue, { seals, runtime }: RevokeContext): string {
  const leaf = readLeaf(certificate)
  if (leaf?.id !== id) throw new Hopeless('what is to be revoked is another certificate than it says')
  if (leaf.notAfterMs <= runtime.now()) throw new Hopeless('it is over by itself')
  if (!seals.holds(key.epoch))
    throw new MakiError('MAKI_NOT_FOUND', `this node was not given what opens the key of ${name}`, {
      hint: 'A node that was revokes it.',
    })
  try {
    return new TextDecoder().decode(seals.open(sealPurpose.certificate(name), key))
  } catch (error) {
    throw new Hopeless('its key cannot be opened', error)
  }
}

function readLeaf(
  chain: string,
): { readonly id: OperationId; readonly pem: string; readonly notAfterMs: number } | undefined {
  try {
    const { leaf, notAfterMs } = parseCertificateChain(chain)
    return { id: operationIdFrom(createHash('sha256').update(leaf.raw).digest()), pem: leaf.toString(), notAfterMs }
  } catch {
    return undefined
  }
}
