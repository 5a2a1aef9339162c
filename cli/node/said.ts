import * as v from 'valibot'
import { isId, type OperationId } from '../../core/index.ts'
import { saidMeshSchema } from './said-mesh.ts'

const operationId = v.custom<OperationId>((input) => typeof input === 'string' && isId(input))
const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535))
/** Ends on terminals. */
const token = v.fallback(v.nullable(v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,64}$/))), null)
/** What no computer reaches, and JSON can say. */
const MAX_LOAD = 1_000_000
const fraction = v.pipe(v.number(), v.minValue(0), v.maxValue(1))
const amount = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
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
  /** See `Trouble`. */
  trouble: v.fallback(
    v.nullable(
      v.object({
        refused: amount,
        workersDied: amount,
        certificates: amount,
        components: v.fallback(v.pipe(v.array(v.pipe(v.string(), v.maxLength(200))), v.maxLength(5)), []),
      }),
    ),
    null,
  ),
  /** Its mesh; null where it has none. */
  mesh: v.fallback(v.nullable(saidMeshSchema), null),
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
  trouble: null,
  mesh: null,
}

/** By what was read: one word is looked at whenever any node says something. */
const known = new WeakMap<object, Said>()

/** What a node said, as far as it is understood; never throws. The same for the same object, which nobody changes. */
export function readSaid(data: unknown): Said {
  if (typeof data !== 'object' || data === null) return NOTHING_SAID
  const before = known.get(data)
  if (before !== undefined) return before
  const parsed = v.safeParse(saidSchema, data)
  const said = parsed.success ? parsed.output : NOTHING_SAID
  known.set(data, said)
  return said
}

const servesSchema = v.object({ dns: unset(port), http: unset(port), https: unset(port) })

/** The ports on which a node says that it listens; undefined where it says nothing of them. Never throws. */
export function readServes(data: unknown): v.InferOutput<typeof servesSchema> | undefined {
  const said = v.safeParse(v.object({ serves: servesSchema }), data)
  return said.success ? said.output.serves : undefined
}
