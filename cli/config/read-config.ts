import * as v from 'valibot'
import { Findings } from './findings.ts'
import { findNearest } from './nearest.ts'
import type { ConfigPath, TomlDocument } from './toml.ts'

/** What a schema made of a document. */
export interface ConfigReading<Output> {
  /** Trusted only where `findings.isSound`; as a whole after `findings.throwFaults()`. */
  readonly values: Output
  readonly findings: Findings
}

/**
 * Validates a document. Nothing is thrown yet: wrong types and values are faults in `findings`, unknown keys are
 * warnings (faults when `strict`) that name the nearest known key. The caller adds its own and then calls
 * `findings.throwFaults()`, so that all faults of a file are told together.
 */
export function readConfig<Schema extends v.GenericSchema>(
  schema: Schema,
  document: TomlDocument,
  options: { strict?: boolean | undefined } = {},
): ConfigReading<v.InferOutput<Schema>> {
  const findings = new Findings(document)
  for (const { path, message } of listUnknownKeys(schema, document.values)) {
    if (options.strict === true) findings.fault(path, message, { part: 'key' })
    else findings.warn(path, message, 'key')
  }
  const result = v.safeParse(schema, document.values)
  for (const issue of result.issues ?? []) {
    const path = (issue.path ?? []).map((item) => item.key as string | number)
    findings.fault(path, describeIssue(issue))
  }
  return { values: result.output as v.InferOutput<Schema>, findings }
}

interface UnknownKey {
  readonly path: ConfigPath
  readonly message: string
}

/** The parts of valibot's schemas that have keys below them. */
interface SchemaShape {
  readonly entries?: Readonly<Record<string, v.GenericSchema>>
  readonly item?: v.GenericSchema
  readonly wrapped?: v.GenericSchema
}

interface Around {
  readonly path: ConfigPath
  readonly known: readonly string[]
}

function* listUnknownKeys(
  schema: v.GenericSchema,
  value: unknown,
  path: ConfigPath = [],
  around: readonly Around[] = [],
): Generator<UnknownKey> {
  const { entries, item, wrapped } = schema as SchemaShape
  if (wrapped !== undefined) return yield* listUnknownKeys(wrapped, value, path, around)
  if (item !== undefined && Array.isArray(value)) {
    for (const [i, element] of value.entries()) yield* listUnknownKeys(item, element, [...path, i], around)
    return
  }
  if (entries === undefined || typeof value !== 'object' || value === null || Array.isArray(value)) return
  const known = Object.keys(entries)
  for (const [key, child] of Object.entries(value)) {
    const entry = Object.hasOwn(entries, key) ? entries[key] : undefined
    if (entry !== undefined) yield* listUnknownKeys(entry, child, [...path, key], [{ path, known }, ...around])
    else yield { path: [...path, key], message: describeUnknown(key, known, around) }
  }
}

function describeUnknown(key: string, known: readonly string[], around: readonly Around[]): string {
  // A key below a table header belongs to that table: written too far down is the usual mistake.
  const owner = around.find((outer) => outer.known.includes(key))
  if (owner !== undefined) {
    const name = owner.path.findLast((step) => typeof step === 'string')
    const where = name === undefined ? 'the top of the file' : `[[${name}]]`
    return `unknown key; ${key} belongs to ${where}, before the first table below it`
  }
  const nearest = findNearest(key, known)
  return nearest === undefined
    ? `unknown key; known are ${known.join(', ')}`
    : `unknown key; did you mean ${JSON.stringify(nearest)}?`
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text in quotes',
  number: 'a number',
  boolean: 'true or false',
  array: 'an array, like ["a", "b"]',
  object: 'a table',
  record: 'a table, like { KEY = "value" }',
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  if (issue.kind !== 'schema' || issue.type === 'custom') return issue.message
  if (issue.input === undefined) return 'it is missing'
  if (issue.type === 'picklist') {
    const listed = issue.expected?.replace(/^\(|\)$/g, '').replaceAll(' | ', ', ')
    return `one of ${listed} is expected, not ${describeValue(issue.input)}`
  }
  if (issue.type === 'array' && isTable(issue.input))
    return 'an array is expected, not a table; tables of an array have two brackets, like [[domain]]'
  return `${EXPECTED[issue.type] ?? issue.expected ?? issue.type} is expected, not ${describeValue(issue.input)}`
}

const isTable = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)

function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value instanceof Date) return 'a date'
  return Array.isArray(value) ? 'an array' : 'a table'
}
