import * as v from 'valibot'
import {
  type ClusterId,
  encodeCanonical,
  idBytes,
  isId,
  MakiError,
  type MemberKey,
  type SealEpochKey,
  type Sealed,
  SIGNATURE_BYTES,
  type Signer,
  verifySignature,
} from '../../core/index.ts'

/** What a node does about secrets for those who ask it; it gives none away. */
export interface ControlSeals {
  /**
   * The epoch that values are sealed to now, begun where there is none. Throws MAKI_UNSUPPORTED while a node runs a version
   * without seals, MAKI_TIMEOUT.
   */
  epoch(): Promise<SealEpochKey>
  /**
   * Whether each value is the same as a sealed one of the state: both are sealed, so that neither travels in clear. False for
   * a place that is not in the state, or not the asker's to write. Throws MAKI_OPERATION_REFUSED for who is no member,
   * MAKI_TOO_LARGE where too much was asked lately.
   */
  same(request: SameRequest): Promise<readonly boolean[]>
}

export interface SameItem {
  /** One of `sealPurpose`. */
  readonly purpose: string
  /** As it stands in the state. */
  readonly sealed: Sealed
  /** What it is compared with, sealed for the same purpose. */
  readonly value: Sealed
}

/**
 * Signed by who asks: who may open the control socket is no member by that, and a member may not try out the secrets of
 * domains that are not its own. Said again by somebody else it gives the same answer, so it needs no time.
 */
export interface SameRequest {
  readonly author: MemberKey
  /** Ed25519 over a context string, the cluster's id and the items in canonical MessagePack; base64url. */
  readonly signature: string
  readonly items: readonly SameItem[]
}

export interface SameReport {
  readonly same: readonly boolean[]
}

export interface EpochReport {
  readonly epoch: SealEpochKey
}

/** What one request may carry. */
export const SAME_LIMITS = { items: 200, bytes: 8 * 1024 * 1024 } as const

const sealed = v.strictObject({
  epoch: v.custom<SealEpochKey>((input) => typeof input === 'string' && isId(input), 'an epoch is expected'),
  box: v.pipe(v.string(), v.maxLength(100_000), v.regex(/^[A-Za-z0-9_-]+$/, 'base64url is expected')),
})
const request = v.object({
  author: v.custom<MemberKey>((input) => typeof input === 'string' && isId(input), 'a public key is expected'),
  signature: v.pipe(v.string(), v.length(Math.ceil((SIGNATURE_BYTES * 4) / 3)), v.regex(/^[A-Za-z0-9_-]+$/)),
  items: v.array(v.strictObject({ purpose: v.pipe(v.string(), v.maxLength(10_000)), sealed, value: sealed })),
})

const CONTEXT = new TextEncoder().encode('makiatto same 1\0')

const signedBytes = (cluster: ClusterId, items: readonly SameItem[]): Uint8Array =>
  Buffer.concat([CONTEXT, idBytes(cluster), encodeCanonical(items)])

/** The request that asks for these items. */
export function signSameRequest(signer: Signer, cluster: ClusterId, items: readonly SameItem[]): SameRequest {
  const signature = Buffer.from(signer.sign(signedBytes(cluster, items))).toString('base64url')
  return { author: signer.key, signature, items }
}

/** True when its author signed the request, for this cluster. */
export const isSignedSameRequest = (cluster: ClusterId, { author, signature, items }: SameRequest): boolean =>
  verifySignature(author, signedBytes(cluster, items), Buffer.from(signature, 'base64url'))

/** Reads the body of POST /v1/seals/same. Throws MAKI_INVALID, MAKI_TOO_LARGE. */
export function parseSameRequest(bytes: Uint8Array): SameRequest {
  let input: unknown
  try {
    input = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new MakiError('MAKI_INVALID', 'the body is not JSON', { cause })
  }
  const result = v.safeParse(request, input)
  // Only the place: the message of an issue quotes what stands there, which may be a secret sent by mistake.
  if (!result.success)
    throw new MakiError(
      'MAKI_INVALID',
      `the body is no list of items: see ${v.getDotPath(result.issues[0]) ?? 'its shape'}`,
    )
  const { author, signature, items } = result.output
  if (items.length > SAME_LIMITS.items) {
    throw new MakiError('MAKI_TOO_LARGE', `the list has ${items.length} items, ${SAME_LIMITS.items} are allowed`, {
      hint: 'Ask in several requests.',
    })
  }
  return { author, signature, items }
}
