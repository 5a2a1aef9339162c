import * as v from 'valibot'
import { isId, type OperationId } from '../../core/index.ts'

const operationId = v.custom<OperationId>((input) => typeof input === 'string' && isId(input))
const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535))
/** Ends on terminals. */
const token = v.fallback(v.nullable(v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,64}$/))), null)
/** What no computer reaches, and JSON can say. */
const MAX_LOAD = 1_000_000
const fraction = v.pipe(v.number(), v.minValue(0), v.maxValue(1))
const unset = <const Schema extends v.GenericSchema>(schema: Schema) => v.fallback(v.optional(schema), undefined)

/** What a node says about itself; read leniently, for other versions may say more or less. */
const saidSchema = v.object({
  version: token,
  digest: token,
  heads: v.fallback(v.array(operationId), []),
  active: v.fallback(v.record(v.string(), operationId), {}),
  merged: v.fallback(v.record(v.string(), v.array(operationId)), {}),
  unservable: v.fallback(
    v.array(
      v.object({
        domain: v.string(),
        release: operationId,
        missing: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
        reason: v.optional(v.string()),
      }),
    ),
    [],
  ),
  damagedBlobs: v.fallback(v.pipe(v.number(), v.safeInteger(), v.minValue(0)), 0),
  /** How its computer is: fractions used, and load for each processor. */
  host: v.fallback(
    v.nullable(
      v.object({ memory: fraction, disk: fraction, load: v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_LOAD)) }),
    ),
    null,
  ),
})
export type Said = v.InferOutput<typeof saidSchema>

/** Of a node that was never heard. */
export const NOTHING_SAID: Said = {
  version: null,
  digest: null,
  heads: [],
  active: {},
  merged: {},
  unservable: [],
  damagedBlobs: 0,
  host: null,
}

/** What a node said, as far as it is understood; never throws. */
export function readSaid(data: unknown): Said {
  const said = v.safeParse(saidSchema, data)
  return said.success ? said.output : NOTHING_SAID
}

const servesSchema = v.object({ dns: unset(port), http: unset(port), https: unset(port) })

/** The ports on which a node says that it listens; undefined where it says nothing of them. Never throws. */
export function readServes(data: unknown): v.InferOutput<typeof servesSchema> | undefined {
  const said = v.safeParse(v.object({ serves: servesSchema }), data)
  return said.success ? said.output.serves : undefined
}
