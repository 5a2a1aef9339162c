import { type ClusterId, decodeOperation, type Operation } from '../../core/index.ts'
import { raiseChanges } from '../../migrations/index.ts'

/** Reads an operation of any schema up to the present one; otherwise as `decodeOperation` of core. */
export function readOperation(
  bytes: Uint8Array,
  cluster: ClusterId | undefined,
  options: { readonly signatureChecked?: boolean } = {},
): Operation {
  return decodeOperation(bytes, cluster, { ...options, raise: raiseChanges })
}
