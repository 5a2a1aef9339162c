import { setImmediate } from 'node:timers/promises'
import {
  asMakiError,
  type ClusterId,
  type Operation,
  type OperationId,
  signatureOf,
  verifySignature,
  wrongSignature,
} from '../../core/index.ts'
import type { SignatureCheck } from '../ports.ts'
import { readOperation } from './read-operation.ts'

/** An operation's bytes as they came; `claimed` is the id that they stood under, where there was one. */
export interface Arrival {
  readonly bytes: Uint8Array
  readonly claimed?: OperationId
}

interface Verified {
  /** Not here yet, with a right signature; each once. */
  readonly operations: readonly Operation[]
  /** Here before. */
  readonly known: readonly OperationId[]
  readonly refused: readonly string[]
}

/** What is here, and how signatures are checked. */
export interface Verifying {
  readonly cluster: ClusterId
  has(id: OperationId): boolean
  read(id: OperationId): Promise<Uint8Array | undefined>
  readonly check: SignatureCheck
}

/** What came of one arrival: how it reads, that it is known, or what is wrong with it. */
type Finding = Operation | { readonly known: OperationId } | { readonly refused: string }

/** An operation takes some 0.02 ms to read and 0.1 ms to check: after so many, others have their turn. */
const STRIDE = 50
/** So few are checked at once: the way to another thread and back takes longer, and may wait behind the disk. */
const FEW = 4
/** How many of one merge other threads are given at a time: enough for several, and few for others to wait behind. */
const UNDER_WAY = 32

/**
 * Sorts arrivals by what their bytes alone tell. What is known is not checked again, but where an id is claimed: the
 * bytes are then passed on as they are, so they must be those that were stored (`read`), or right by themselves.
 */
export async function verifyArrivals(arrivals: readonly Arrival[], verifying: Verifying): Promise<Verified> {
  const check = arrivals.length <= FEW ? verifySignature : verifying.check
  const findings: Finding[] = []
  const underWay: Promise<unknown>[] = []
  for (const [i, arrival] of arrivals.entries()) {
    if (i % STRIDE === STRIDE - 1) await setImmediate()
    const finding = await findWithoutSignature(arrival, verifying)
    findings.push(finding)
    if (!('bytes' in finding)) continue
    const right = check(...signatureOf(finding, verifying.cluster))
    const settle = (isRight: boolean) => {
      if (!isRight) findings[i] = { refused: wrongSignature().message }
    }
    if (typeof right === 'boolean') settle(right)
    else if (underWay.push(right.then(settle)) >= UNDER_WAY) await underWay.shift()
  }
  await Promise.all(underWay)
  return sortFindings(findings, verifying)
}

async function findWithoutSignature({ bytes, claimed }: Arrival, { cluster, has, read }: Verifying): Promise<Finding> {
  try {
    if (claimed !== undefined && has(claimed)) {
      const stored = await read(claimed)
      if (stored !== undefined && Buffer.compare(stored, bytes) === 0) return { known: claimed }
    }
    // Copied: the bytes may be a small part of a large receive buffer.
    const operation = readOperation(new Uint8Array(bytes), cluster, { signatureChecked: true })
    const { id } = operation
    if (claimed !== undefined && id !== claimed) return { refused: `operation ${id} stands under the id ${claimed}` }
    return claimed === undefined && has(id) ? { known: id } : operation
  } catch (error) {
    return { refused: asMakiError(error).message }
  }
}

function sortFindings(findings: readonly Finding[], { has }: Verifying): Verified {
  const operations = new Map<OperationId, Operation>()
  const known: OperationId[] = []
  const refused: string[] = []
  for (const finding of findings) {
    if ('refused' in finding) refused.push(finding.refused)
    else if ('known' in finding) known.push(finding.known)
    // It may have come another way meanwhile.
    else if (has(finding.id)) known.push(finding.id)
    else operations.set(finding.id, finding)
  }
  return { operations: [...operations.values()], known, refused }
}
