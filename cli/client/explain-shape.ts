import * as v from 'valibot'
import type { ExplainReport } from '../explain-report.ts'

const text = v.string()
const texts = v.array(text)
const number = v.number()
/** What newer nodes say besides stays. */
const object = v.looseObject

const record = object({ name: text, type: text, ttl: number, value: text })
const written = v.nullable(object({ operation: text, author: text, at: text, via: v.nullable(text) }))
const lookUp = { step: v.literal('look-up'), name: text, type: text, zone: text, serial: number }

const candidate = object({
  node: text,
  address: text,
  distanceKm: v.nullable(number),
  readiness: text,
  why: text,
})

const step = v.variant('step', [
  object({ step: v.literal('refused'), why: text }),
  object({ step: v.literal('no-zone'), nearest: v.nullable(text) }),
  v.variant('found', [
    object({
      ...lookUp,
      found: v.literal('set'),
      kind: v.picklist(['fixed', 'nodes', 'alias']),
      wildcard: v.nullable(text),
      target: v.nullable(text),
      written,
    }),
    object({ ...lookUp, found: v.literal('cname'), wildcard: v.nullable(text), target: text, written }),
    object({
      ...lookUp,
      found: v.literal('nodata'),
      wildcard: v.nullable(text),
      types: texts,
      nodeless: v.optional(texts),
    }),
    object({ ...lookUp, found: v.literal('nxdomain'), encloser: text }),
    object({ ...lookUp, found: v.literal('delegation'), cut: text, servers: texts, written }),
  ]),
  object({ step: v.literal('ipv6-idle'), name: text }),
  object({
    step: v.literal('choice'),
    name: text,
    type: text,
    located: object({
      by: text,
      source: text,
      place: v.nullable(object({ latitude: number, longitude: number })),
      country: v.nullable(text),
      scopePrefix: number,
    }),
    candidates: v.array(candidate),
  }),
  object({ step: v.literal('resolved'), target: text, found: v.nullable(object({ ipv4: texts, ipv6: texts })) }),
])

const report = object({
  question: object({ name: text, type: text }),
  asker: object({ address: text, subnet: v.nullable(text) }),
  steps: v.array(step),
  rcode: text,
  authoritative: v.boolean(),
  answers: v.array(record),
  authorities: v.array(record),
  additionals: v.array(record),
  scopePrefix: v.nullable(number),
  node: text,
  authors: v.record(text, text),
  aliases: v.array(
    object({
      target: text,
      since: v.nullable(text),
      failing: v.nullable(object({ since: text, reason: text })),
      refused: texts,
    }),
  ),
})

/**
 * Whether what a node answered has the shape of an explanation: all that is shown of it has its type, so that a node that lies
 * or is of another version ends no command. Texts may still be of any kind: `plainTexts` is for them.
 */
export const isExplainReport = (answer: unknown): answer is ExplainReport => v.is(report, answer)
