import { createHash } from 'node:crypto'
import {
  type Change,
  type ClusterId,
  createOperation,
  decodeMessage,
  encodeCanonical,
  nextStamp,
  type OperationId,
  operationIdFrom,
  type Signer,
  type Stamp,
} from '../../../core/index.ts'
import type { Random } from '../../support/seeds.ts'

const SIGNATURE_BYTES = 64
const ID_BYTES = 32

/** An operation that no author of ours would make, rightly signed, with the id that it would have. */
export interface Crooked {
  readonly id: OperationId
  readonly bytes: Uint8Array
  readonly why: string
}

export interface CrookedDraft {
  readonly signer: Signer
  readonly cluster: ClusterId
  readonly head: { readonly id: OperationId; readonly stamp: Stamp }
  readonly changes: readonly Change[]
  readonly nowMs: number
}

type Ways = 'heads' | 'nowhere' | 'spelling' | 'tail' | 'elsewhere' | 'past'

/** One of several: too many heads, heads that cannot be, bytes that say the same in other ways, another cluster's. */
export function drawCrooked(draft: CrookedDraft, random: Random): Crooked {
  const way = random.pick<Ways>(['heads', 'nowhere', 'spelling', 'tail', 'elsewhere', 'past'])
  switch (way) {
    case 'heads': {
      const heads = Array.from({ length: 17 }, () => random.bytes(ID_BYTES)).sort(Buffer.compare)
      return alter(draft, 'it has 17 heads', (body) => {
        const fields = decodeMessage(body) as unknown[]
        return encodeCanonical(fields.with(3, heads))
      })
    }
    case 'nowhere':
      // As close to a cycle as hashes allow: what it follows can never come.
      return sign(
        { ...draft, head: { ...draft.head, id: operationIdFrom(random.bytes(ID_BYTES)) } },
        'it follows nothing',
      )
    case 'spelling':
      // An array of seven, said with the longer of two prefixes.
      return alter(draft, 'it is not canonical', (body) => Buffer.concat([Uint8Array.of(0xdc, 0, 7), body.subarray(1)]))
    case 'tail':
      return alter(draft, 'it goes on after its end', (body) => Buffer.concat([body, Uint8Array.of(0xc0)]))
    case 'elsewhere': {
      const cluster = operationIdFrom(random.bytes(ID_BYTES)) as string as ClusterId
      return sign({ ...draft, cluster }, 'it is of another cluster')
    }
    case 'past': {
      const wallMs = draft.head.stamp.wallMs - 1
      return alter(draft, 'its stamp is before that of its head', (body) => {
        const fields = decodeMessage(body) as unknown[]
        return encodeCanonical(fields.with(2, [wallMs, 0]))
      })
    }
    default:
      return way satisfies never
  }
}

function sign({ signer, cluster, head, changes, nowMs }: CrookedDraft, why: string): Crooked {
  const stamp = nextStamp(nowMs, [head.stamp])
  return { ...createOperation(signer, cluster, { stamp, heads: [head.id], changes }), why }
}

/** Alters the body of a right operation, and signs that. */
function alter(draft: CrookedDraft, why: string, change: (body: Uint8Array) => Uint8Array): Crooked {
  let signed: Uint8Array = new Uint8Array(0)
  const listening: Signer = {
    key: draft.signer.key,
    sign: (bytes) => {
      signed = bytes
      return draft.signer.sign(bytes)
    },
  }
  const { bytes } = sign({ ...draft, signer: listening }, why) as Crooked
  const body = bytes.subarray(SIGNATURE_BYTES)
  const altered = change(body)
  const text = Buffer.concat([signed.subarray(0, signed.length - body.length), altered])
  const id = operationIdFrom(createHash('sha256').update(text).digest())
  return { id, bytes: Buffer.concat([draft.signer.sign(text), altered]), why }
}
