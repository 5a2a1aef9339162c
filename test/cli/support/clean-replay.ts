import { readFileSync } from 'node:fs'
import {
  type ClusterId,
  compareOperations,
  compileEffects,
  decodeMessage,
  decodeOperation,
  encodeCanonical,
  type Operation,
  type OperationId,
} from '../../../core/index.ts'
import { foldByDefinition } from '../../support/fold-by-definition.ts'

/**
 * A process that gets nothing but the bytes of operations and a list of moments (a JSON file: `{cluster, operations, at}`),
 * and prints for each moment what `maki state --json --at` prints, and at last what `maki blame` and `maki conflicts` say of
 * the present, worked out from the definition word for word, without the fold.
 */

interface Task {
  readonly cluster: ClusterId
  /** Base64. */
  readonly operations: readonly string[]
  /** Ids, or times in milliseconds. */
  readonly at: readonly (OperationId | number)[]
}

const task = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as Task
const history = task.operations
  .map((text) => decodeOperation(new Uint8Array(Buffer.from(text, 'base64')), task.cluster))
  .sort(compareOperations)
const byId = new Map(history.map((operation) => [operation.id, operation]))

function pastOf(id: OperationId): Operation[] {
  const past = new Set<OperationId>()
  const walk = (each: OperationId): void => {
    if (past.has(each)) return
    past.add(each)
    for (const head of byId.get(each)?.heads ?? []) walk(head)
  }
  walk(id)
  return history.filter((operation) => past.has(operation.id))
}

const sorted = (value: unknown): unknown => decodeMessage(encodeCanonical(value))

function stateOf(operations: readonly Operation[]): unknown[] {
  const { values } = foldByDefinition(operations)
  const nameOf = (key: string) => (values.get(`member/${key}`)?.[0] as { name: string } | undefined)?.name ?? null
  return [...values]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, [value, id]]) => {
      const { author, stamp } = byId.get(id) as Operation
      const via = compileEffects(byId.get(id) as Operation).keys.get(key)?.via ?? null
      const at = new Date(stamp.wallMs).toISOString()
      return { key, value: sorted(value), operation: id, author: { key: author, name: nameOf(author) }, at, via }
    })
}

const states = task.at.map((at) =>
  JSON.stringify(
    stateOf(typeof at === 'number' ? history.filter(({ stamp }) => stamp.wallMs <= at) : pastOf(at)),
    undefined,
    2,
  ),
)
const { frontiers } = foldByDefinition(history)
const effectAt = (key: string, id: OperationId) => compileEffects(byId.get(id) as Operation).keys.get(key)
const valueAt = (key: string, id: OperationId): unknown => effectAt(key, id)?.value ?? null
/** A value of null is none that was removed. */
const isRemoved = (key: string, id: OperationId): boolean => effectAt(key, id)?.value === undefined
const ordered = [...frontiers].filter(([, ids]) => ids.length > 0).sort(([a], [b]) => (a < b ? -1 : 1))
const blame = ordered.map(([key, ids]) => [key, sorted(valueAt(key, ids[0] as OperationId)), ...ids])
const conflicts = ordered.flatMap(([key, [winner, ...others]]) => {
  const bytesAt = (id: OperationId) =>
    Buffer.from(encodeCanonical([isRemoved(key, id), valueAt(key, id)])).toString('hex')
  const losers = others.filter((id) => bytesAt(id) !== bytesAt(winner as OperationId))
  return losers.length === 0 ? [] : [[key, winner, ...losers]]
})
process.stdout.write(JSON.stringify({ states, blame, conflicts }))
