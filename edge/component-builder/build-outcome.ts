import * as v from 'valibot'
import type { ComponentFault, ComponentReport } from '../components/index.ts'
import { GLUE_FILE, MODULE_FILE, type PreparedFiles } from './prepared-files.ts'

/** What became of a component's bytes, in the process that works on them. */
export type BuildOutcome =
  | { readonly kind: 'ready'; readonly report: ComponentReport; readonly files: PreparedFiles }
  | { readonly kind: 'unfit'; readonly fault: ComponentFault }

const text = (most: number) => v.pipe(v.string(), v.maxLength(most))
const names = v.pipe(v.array(text(256)), v.maxLength(10_000))
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

const outcomeSchema = v.variant('kind', [
  v.object({
    kind: v.literal('ready'),
    report: v.object({
      world: v.picklist(['http', 'transform']),
      sizeBytes: count,
      imports: names,
      otherExports: names,
      coreModules: count,
      coreInstances: count,
      initialMemoryBytes: count,
      largestMemoryBytes: count,
    }),
    files: v.pipe(v.array(v.tuple([text(100), count])), v.maxLength(1000)),
  }),
  v.object({
    kind: v.literal('unfit'),
    fault: v.object({
      code: v.custom<ComponentFault['code']>((input) => typeof input === 'string' && /^[a-z-]{1,40}$/.test(input)),
      message: text(2000),
      hint: text(2000),
    }),
  }),
])

/** As the body of a frame: 4 bytes length (big-endian), that many of JSON, the files one after the other. */
export function encodeOutcome(outcome: BuildOutcome): Buffer {
  const isReady = outcome.kind === 'ready'
  const all = isReady ? [[GLUE_FILE, outcome.files.glue] as const, ...outcome.files.modules] : []
  const json = Buffer.from(
    JSON.stringify(isReady ? { ...outcome, files: all.map(([name, bytes]) => [name, bytes.length]) } : outcome),
  )
  const prefix = Buffer.alloc(4)
  prefix.writeUInt32BE(json.length)
  return Buffer.concat([prefix, json, ...all.map(([, bytes]) => bytes)])
}

/**
 * Reads what a process said that strangers' bytes may have got hold of: nothing but the shape is trusted. Undefined for what
 * is no outcome, or has files of other names than glue and core modules.
 */
export function findOutcome(body: Buffer): BuildOutcome | undefined {
  const said = v.safeParse(outcomeSchema, readJson(body))
  if (!said.success) return undefined
  if (said.output.kind === 'unfit') return said.output
  const { report, files } = said.output
  const modules = new Map<string, Buffer>()
  let glue: Buffer | undefined
  let at = 4 + body.readUInt32BE(0)
  for (const [name, length] of files) {
    const bytes = body.subarray(at, at + length)
    at += length
    if (bytes.length !== length || modules.has(name)) return undefined
    if (MODULE_FILE.test(name)) modules.set(name, bytes)
    else if (name === GLUE_FILE && glue === undefined) glue = bytes
    else return undefined
  }
  return glue === undefined || at !== body.length ? undefined : { kind: 'ready', report, files: { glue, modules } }
}

function readJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8', 4, 4 + body.readUInt32BE(0)))
  } catch {
    return undefined
  }
}
