import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import {
  CHANGE_KINDS,
  type ClusterId,
  compileEffects,
  createOperation,
  decodeOperation,
  encodeCanonical,
  FOLD_VERSION,
  Fold,
  nextStamp,
  type Operation,
  PACKED_FOLD_LAYOUT,
  SCHEMA,
} from '../../../core/index.ts'
import { raiseChanges } from '../../../migrations/index.ts'
import { randomAttack, randomCompany } from '../../support/attacks.ts'
import {
  admitSigners,
  createTestCluster,
  keepAdmitted,
  randomHistory,
  type TestCluster,
} from '../../support/histories.ts'
import { createRandom } from '../../support/seeds.ts'

/**
 * Whole histories, as bytes, and what they fold to. Two nodes with different programs compare digests, and a program
 * takes over the checkpoint of the one before it, where `FOLD_VERSION` and `PACKED_FOLD_LAYOUT` are the same: so whoever
 * changes what comes out here raises one of them. `GOLDEN=write` then writes the new results, and histories that are
 * not in the file yet; it never writes over a history, nor over results of the same versions.
 */
const FILE = new URL('fold.golden.json', import.meta.url)
const OPERATIONS = new URL('../operation/operations.golden.json', import.meta.url)

interface Golden {
  readonly foldVersion: number
  readonly layout: number
  readonly histories: Readonly<Record<string, GoldenHistory>>
}
interface GoldenHistory {
  /** Base64, heads first; the first one creates the cluster. */
  readonly operations: readonly string[]
  readonly folded: Folded
  /** SHA-256 of the packed fold. */
  readonly packed: string
}
interface Folded {
  /** The digest of the state. */
  readonly state: string
  /** SHA-256 of the digests of the state after each operation. */
  readonly steps: string
  /** SHA-256 of the counts of touches. */
  readonly touches: string
  readonly entries: number
  /** Places in `operations` of those that do not count. */
  readonly voids: readonly number[]
}

const isWriting = process.env.GOLDEN === 'write'
const stored = JSON.parse(readFileSync(FILE, 'utf8')) as Golden
const isSameVersion = stored.foldVersion === FOLD_VERSION && stored.layout === PACKED_FOLD_LAYOUT
const histories = Object.entries({ ...(isWriting ? createHistories() : {}), ...readHistories(stored) })

t.test('every kind of change, removals of scopes, conflicts and void operations are among them', async (t) => {
  const kinds = new Set<string>()
  const found = { conflicts: 0, voids: 0, removedScopes: 0 }
  for (const [, operations] of histories) {
    const fold = foldAll(operations)
    found.conflicts += fold.conflicts().length
    found.voids += fold.voids().length
    for (const operation of operations.filter(({ id }) => fold.voidReason(id) === undefined)) {
      for (const { kind } of operation.changes) kinds.add(kind)
      found.removedScopes += compileEffects(operation).removedScopes.size
    }
  }
  t.same([...kinds].sort(), [...CHANGE_KINDS].sort())
  t.ok(
    Object.values(found).every((count) => count > 10),
    JSON.stringify(found),
  )
})

t.test('the file holds the results of this version', async (t) => {
  if (isWriting) {
    t.pass('they are being written')
    return
  }
  t.equal(stored.foldVersion, FOLD_VERSION, 'the fold was raised: run this test once with GOLDEN=write')
  t.equal(stored.layout, PACKED_FOLD_LAYOUT, 'the layout was raised: run this test once with GOLDEN=write')
})

for (const [name, operations] of histories) {
  t.test(`${name} folds to what it did`, async (t) => {
    const golden = stored.histories[name]
    if (golden === undefined || !isSameVersion) {
      t.ok(isWriting, 'run this test once with GOLDEN=write')
      return
    }
    const fold = foldAll(operations)
    t.same(describe(fold, operations), golden.folded, 'another state: raise FOLD_VERSION')
    t.equal(hashPacked(fold), golden.packed, 'another packed form: raise PACKED_FOLD_LAYOUT, or FOLD_VERSION')
  })
}

if (isWriting) {
  const written = histories.map(([name, operations]): [string, GoldenHistory] => {
    const known = stored.histories[name]
    if (known !== undefined && isSameVersion) return [name, known]
    const fold = foldAll(operations)
    const bytes = operations.map((operation) => Buffer.from(operation.bytes).toString('base64'))
    return [name, { operations: bytes, folded: describe(fold, operations), packed: hashPacked(fold) }]
  })
  const golden: Golden = {
    foldVersion: FOLD_VERSION,
    layout: PACKED_FOLD_LAYOUT,
    histories: Object.fromEntries(written),
  }
  writeFileSync(FILE, `${JSON.stringify(golden, undefined, 1)}\n`)
}

function foldAll(operations: readonly Operation[]): Fold {
  const fold = new Fold()
  for (const operation of operations) fold.add(operation)
  return fold
}

/** What was written over later counts too. */
function hashSteps(operations: readonly Operation[]): string {
  const fold = new Fold()
  const states = operations.map((operation) => {
    fold.add(operation)
    return fold.digest().state
  })
  return hashOf([encodeCanonical(states)])
}

function describe(fold: Fold, operations: readonly Operation[]): Folded {
  const { entries, touches } = fold.state.snapshot()
  const sorted = [...touches].sort(([a], [b]) => (a < b ? -1 : 1))
  const voids = operations.flatMap(({ id }, at) => (fold.voidReason(id) === undefined ? [] : at))
  return {
    state: fold.digest().state,
    steps: hashSteps(operations),
    touches: hashOf([encodeCanonical(sorted)]),
    entries: entries.length,
    voids,
  }
}

function hashPacked(fold: Fold): string {
  const { head, lists } = fold.pack()
  return hashOf([encodeCanonical(head), ...lists])
}

function hashOf(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length} `).update(part)
  return hash.digest('hex')
}

function readHistories(golden: Golden): Record<string, Operation[]> {
  const read = Object.entries(golden.histories).map(([name, { operations }]): [string, Operation[]] => [
    name,
    decodeAll(operations),
  ])
  return Object.fromEntries(read)
}

function decodeAll(operations: readonly string[]): Operation[] {
  let cluster: ClusterId | undefined
  return operations.map((text) => {
    const operation = decodeOperation(new Uint8Array(Buffer.from(text, 'base64')), cluster, { raise: raiseChanges })
    cluster ??= operation.id as string as ClusterId
    return operation
  })
}

function createHistories(): Record<string, Operation[]> {
  const cluster = createTestCluster()
  const random = createRandom(1)
  const company = randomCompany(random, cluster)
  const [, thief] = company.operators
  if (thief === undefined) throw new Error('there is nobody to steal from')
  const attack = randomAttack(random, cluster, thief, company, { operations: 25, phase: 0 })
  const start = admitSigners(cluster)
  return {
    [`each kind of change of schema ${SCHEMA}, one after another`]: createLine(cluster),
    'a line with forks': randomHistory(random, cluster, { operations: 40, membership: 0, backdated: 0.1, start }),
    'admissions and removals': keepAdmitted(
      randomHistory(random, cluster, { operations: 50, membership: 0.2, backdated: 0.3, start }),
    ),
    'a company with a thief': keepAdmitted([...company.history, ...attack]),
  }
}

/** The changes of the golden operations, each in an operation that has seen those before. */
function createLine(cluster: TestCluster): Operation[] {
  const golden = Object.values(JSON.parse(readFileSync(OPERATIONS, 'utf8'))) as { readonly bytes: string }[]
  const [creation, ...others] = decodeAll(golden.map(({ bytes }) => bytes))
  const line = [creation as Operation]
  for (const { changes, schema } of others) {
    const head = line.at(-1) as Operation
    const draft = { stamp: nextStamp(0, [head.stamp]), heads: [head.id], changes, schema }
    line.push(createOperation(cluster.operator, cluster.id, draft))
  }
  return line
}
