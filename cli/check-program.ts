import * as v from 'valibot'
import { FOLD_VERSION, SCHEMA } from '../core/index.ts'
import { readPackageInfo } from './program/package-info.ts'

/** What `makiatto check` prints: what this program is, and what it reads. Later versions may say more. */
export const programCheck = v.looseObject({
  version: v.string(),
  /** The newest schema of operations. */
  schema: v.number(),
  fold: v.number(),
})
export type ProgramCheck = v.InferOutput<typeof programCheck>

/** Of this very program. */
export function describeProgram(): ProgramCheck {
  return { version: readPackageInfo().version, schema: SCHEMA, fold: FOLD_VERSION }
}
