import t, { type Test } from 'tap'
import {
  type Change,
  compareOperations,
  compileEffects,
  compileUndo,
  createOperation,
  type Entry,
  Fold,
  findWriterWithout,
  type Hostname,
  hostOwner,
  type Key,
  keys,
  nextStamp,
  type Operation,
  type OwnerName,
  type ReleaseValue,
  type Signer,
  type State,
  type UndoPlan,
  type Written,
} from '../../../core/index.ts'
import {
  createTestCluster,
  domains,
  randomChange,
  randomHistory,
  shuffleCausally,
  testSigner,
} from '../../support/histories.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const cluster = createTestCluster()
const apex = domains[0] as Hostname

/** A set of operations, its fold, and who writes next. */
class World {
  readonly history: Operation[] = []
  readonly fold = new Fold()

  constructor(history: readonly Operation[] = [cluster.creation]) {
    for (const operation of history) this.add(operation)
  }

  add(operation: Operation): Operation {
    this.history.push(operation)
    this.fold.add(operation)
    return operation
  }

  /** Writes after all that is here, or after the given operations. */
  write(changes: readonly Change[], options: { signer?: Signer; heads?: readonly Operation[]; atMs?: number } = {}) {
    const heads = options.heads ?? this.#heads()
    const stamp = nextStamp(
      options.atMs ?? 0,
      heads.map((head) => head.stamp),
    )
    const draft = { stamp, heads: heads.map(({ id }) => id), changes }
    return this.add(createOperation(options.signer ?? cluster.operator, cluster.id, draft))
  }

  plan(operation: Operation): UndoPlan {
    const byId = new Map(this.history.map((each) => [each.id, each]))
    const before = (key: Key): Written | undefined => {
      const id = findWriterWithout(this.fold, key, (other) => other === operation.id)
      if (id === undefined) return undefined
      const effect = compileEffects(byId.get(id) as Operation).keys.get(key)
      return { operation: id, value: effect?.value, via: effect?.via }
    }
    return compileUndo(operation, this.fold, before)
  }

  undo(operation: Operation): Operation | undefined {
    const { changes } = this.plan(operation)
    return changes.length === 0 ? undefined : this.write(changes)
  }

  values(): Map<Key, unknown> {
    return new Map(this.fold.state.snapshot().entries.map(([key, entry]) => [key, (entry as Entry).value]))
  }

  #heads(): Operation[] {
    for (;;) {
      const byId = new Map(this.history.map((each) => [each.id, each]))
      const heads = this.fold.heads().map(({ id }) => byId.get(id) as Operation)
      if (heads.length <= 16) return heads
      this.write([{ kind: 'node.update', key: testSigner(9).key, set: { drained: true } }], {
        heads: heads.slice(0, 16),
      })
    }
  }
}

/** What undo leaves alone by its contract: claims that no living domain holds, and how a release came about. */
function comparable(state: State, value: unknown, key: Key): unknown {
  if (key.startsWith('host/')) {
    const host = key.slice('host/'.length) as Hostname
    const owner = hostOwner(state, host)
    if (owner === undefined || state.get(keys.domain(owner)) === undefined) return undefined
    if (owner !== host && state.get(keys.alias(owner, host)) === undefined) return undefined
  }
  if (key.endsWith('/release')) {
    const { rollbackOf, ...release } = value as ReleaseValue
    return release
  }
  return value
}

type Values = Record<Key, unknown>

function comparableState(state: Fold['state']): Values {
  const values = new Map<Key, unknown>()
  for (const [key, entry] of state.snapshot().entries) {
    const value = comparable(state, (entry as Entry).value, key)
    if (value !== undefined) values.set(key, value)
  }
  return Object.fromEntries([...values].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const REFUSED = /^(cluster|operator|seal|certificate|challenge)\.|^node\.(join|remove)|^release\.purge/

function undoableChanges(random: Random): Change[] {
  const signers = [testSigner(10), testSigner(11)]
  const changes: Change[] = []
  while (changes.length < 1 + random.integer(4)) {
    const change = randomChange(random, signers)
    if (!REFUSED.test(change.kind)) changes.push(change)
  }
  return changes
}

let undone = 0
let skips = 0
for (const seed of seeds(150)) {
  t.test(
    `undo directly after an operation gives the values before, and undo of that gives it again (SEED=${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const world = new World(randomHistory(random, cluster, { operations: 25, membership: 0.03, backdated: 0.2 }))
      // So that the states compared are those before and after one operation.
      world.write([{ kind: 'node.update', key: testSigner(9).key, set: { drained: random.chance(0.5) } }])
      const before = comparableState(world.fold.state)
      const operation = world.write(undoableChanges(random))
      if (world.fold.voidReason(operation.id) !== undefined) return
      const after = comparableState(world.fold.state)
      const plan = world.plan(operation)
      const back = world.undo(operation)
      skips += plan.skipped.length
      for (const { key, reason } of plan.skipped) {
        const isNew = /^domain.*release$|^node/.test(key)
        t.ok(isNew && (reason === 'first-release' || reason === 'fixed'), `${key} was not there before: ${reason}`)
      }
      sameState(t, comparableState(world.fold.state), before, plan.skipped)
      t.same(world.plan(operation).changes, [], 'nothing is left to take back')
      if (back === undefined) return
      undone++
      const redo = world.plan(back)
      world.undo(back)
      sameState(t, comparableState(world.fold.state), after, [...plan.skipped, ...redo.skipped])
    },
  )
}

/** Equal but for what was named, and for hosts that nobody answered for: whoever comes back may have them. */
function sameState(t: Test, actual: Values, expected: Values, skipped: readonly { key: Key }[]): void {
  const named = new Set(skipped.map(({ key }) => key))
  const isCompared = (key: Key) => !named.has(key) && (!key.startsWith('host/') || expected[key] !== undefined)
  const only = (values: Values) => Object.fromEntries(Object.entries(values).filter(([key]) => isCompared(key)))
  t.same(only(actual), only(expected))
}

for (const seed of seeds(150)) {
  t.test(
    `undo at any time touches only what is the operation's still, in any order of arrival (SEED=${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const history = randomHistory(random, cluster, { operations: 30, membership: 0.03, backdated: 0.3 })
      const world = new World(history)
      const candidates = history.filter(({ changes }) => !changes.some(({ kind }) => REFUSED.test(kind)))
      const operation = random.pick(candidates)
      if (operation === undefined || world.fold.voidReason(operation.id) !== undefined) return
      const plan = world.plan(operation)
      t.same(new World(shuffleCausally(random, history)).plan(operation), plan, 'order-free')
      const byDefinition = definitionWithout(world, operation)
      const before = new Map(world.fold.state.snapshot().entries.map(([key, entry]) => [key, entry as Entry]))
      const held = comparableState(world.fold.state)
      const writers = new Map([...before].map(([key]) => [key, world.fold.frontier(key)[0]?.operation]))
      const skipped = new Set(plan.skipped.map(({ key }) => key))
      const back = world.undo(operation)
      if (back !== undefined && world.fold.voidReason(back.id) !== undefined) return
      const after = comparableState(world.fold.state)
      for (const key of new Set([...Object.keys(held), ...Object.keys(after)])) {
        const mine = writers.get(key) === operation.id
        if (skipped.has(key)) t.same(after[key], held[key], `${key} is named and stays`)
        else if (!mine && writers.has(key)) {
          if (key.startsWith('host/')) continue
          t.same(after[key], held[key], `${key} was written by another`)
          t.equal(world.fold.state.get(key)?.via, before.get(key)?.via)
        } else if (mine && !key.startsWith('host/')) {
          t.same(after[key], wantedOf(byDefinition.get(key), key), `${key} goes back`)
        }
      }
    },
  )
}

/** By definition: of all other counted operations that touch a key the greatest decides. */
function definitionWithout({ history, fold }: World, operation: Operation): Map<Key, unknown> {
  const values = new Map<Key, unknown>()
  const others = history.filter(({ id }) => id !== operation.id && fold.voidReason(id) === undefined)
  for (const other of others.sort(compareOperations)) {
    const effects = compileEffects(other)
    for (const scope of effects.removedScopes)
      for (const key of values.keys()) if (key === scope || key.startsWith(`${scope}/`)) values.set(key, undefined)
    for (const [key, { value }] of effects.keys) values.set(key, value)
  }
  return values
}

function wantedOf(value: unknown, key: Key): unknown {
  if (value === undefined || !key.endsWith('/release')) return value
  const { rollbackOf, ...release } = value as ReleaseValue
  return release
}

t.test('the seeds meet what they are for', async (t) => {
  if (process.env.SEED !== undefined) return
  t.ok(undone > 50, `${undone} were taken back`)
  t.ok(skips > 0, `${skips} keys were skipped`)
})

const settings = { spa: false, onConcurrent: 'latest', previews: true } as const
const setDomain = (domain = apex, via?: string): Change => ({
  kind: 'domain.set',
  domain,
  ...settings,
  ...(via === undefined ? {} : { via }),
})
const setRecord = (value: string, via?: string, name = 'www'): Change => ({
  kind: 'record.set',
  domain: apex,
  name: name as OwnerName,
  type: 'A',
  ttl: 300,
  values: [value],
  ...(via === undefined ? {} : { via }),
})
const publish = (digit: string, aliases: readonly string[] = []): Change => ({
  kind: 'release.publish',
  domain: apex,
  manifest: digit.repeat(64) as never,
  tree: digit.repeat(64) as never,
  files: 1,
  bytes: 2,
  aliases: aliases as Hostname[],
  via: 'blog',
})
const recordKey = keys.record(apex, 'www' as OwnerName, 'A')

t.test('what a project wrote keeps its name, unless it is the project that is taken back', async (t) => {
  const world = new World()
  world.write([setDomain(), setRecord('192.0.2.1', 'blog')])
  const byHand = world.write([setRecord('192.0.2.2')])
  t.match(world.plan(byHand).changes, [{ kind: 'record.set', values: ['192.0.2.1'], via: 'blog' }])
  world.undo(byHand)
  const bySync = world.write([setRecord('192.0.2.3', 'blog')])
  t.same(world.plan(bySync).changes, [setRecord('192.0.2.1')], 'the next sync of the same files leaves it')
  const removal = world.write([{ kind: 'domain.remove', domain: apex, via: 'blog' }])
  t.match(world.plan(removal).changes, [{ kind: 'domain.set' }, { values: ['192.0.2.3'], via: 'blog' }])
})

t.test('undo of the removal of a domain brings all that it took, and nothing of what came since', async (t) => {
  const world = new World()
  const host = 'shop.example.net' as Hostname
  world.write([setDomain(apex, 'blog'), setRecord('192.0.2.1', 'blog'), setRecord('192.0.2.2', undefined, 'mail')])
  const release = world.write([publish('a', [host]), { kind: 'alias.set', domain: apex, host, via: 'blog' }])
  world.write([{ kind: 'release.hold', domain: apex, hold: true }])
  const before = comparableState(world.fold.state)
  const removal = world.write([{ kind: 'domain.remove', domain: apex }])
  t.equal(world.fold.state.get(recordKey), undefined)
  const plan = world.plan(removal)
  t.same(plan.skipped, [])
  t.match(
    plan.changes.find(({ kind }) => kind === 'release.publish'),
    { rollbackOf: release.id },
  )
  world.undo(removal)
  t.same(comparableState(world.fold.state), before)

  const again = world.write([{ kind: 'domain.remove', domain: apex }])
  const late = world.write([setDomain(), setRecord('192.0.2.9')])
  const rest = world.plan(again)
  t.same(
    rest.skipped.map(({ key, reason, by }) => [key, reason, by]),
    [
      [keys.domain(apex), 'rewritten', late.id],
      [recordKey, 'rewritten', late.id],
    ],
  )
  t.same(
    rest.restored.map(({ key }) => key),
    [keys.alias(apex, host), keys.hold(apex), keys.release(apex), keys.record(apex, 'mail' as OwnerName, 'A')].sort(),
  )
})

t.test('a domain in which others wrote since stays, and is named', async (t) => {
  const world = new World()
  const first = world.write([setDomain(apex, 'blog'), setRecord('192.0.2.1', 'blog'), publish('a')])
  const others = world.write([setRecord('192.0.2.2', undefined, 'mail')])
  const { changes, skipped } = world.plan(first)
  t.same(changes, [{ kind: 'record.remove', domain: apex, name: 'www', type: 'A' }])
  t.same(skipped, [
    { key: keys.domain(apex), reason: 'inhabited', by: others.id },
    { key: keys.release(apex), reason: 'first-release', by: undefined },
  ])
})

t.test('a host that another domain has by now is not taken from it', async (t) => {
  const world = new World()
  const other = domains[1] as Hostname
  const host = 'www.example.com' as Hostname
  world.write([setDomain(), setDomain(other), { kind: 'alias.set', domain: apex, host }])
  const removal = world.write([{ kind: 'alias.remove', domain: apex, host }])
  const claim = world.write([{ kind: 'alias.set', domain: other, host }])
  t.same(world.plan(removal), {
    changes: [],
    restored: [],
    skipped: [{ key: keys.alias(apex, host), reason: 'claimed', by: claim.id }],
  })
  world.undo(claim)
  t.equal(world.fold.state.get(keys.alias(other, host)), undefined)
  world.undo(removal)
  t.equal(hostOwner(world.fold.state, host), apex)
})

t.test('what was written beside comes forth', async (t) => {
  const world = new World()
  const base = world.write([setDomain(), setRecord('192.0.2.1')])
  const left = world.write([setRecord('192.0.2.2')], { heads: [base] })
  const right = world.write([setRecord('192.0.2.3')], { heads: [base], atMs: left.stamp.wallMs + 5 })
  t.equal(world.fold.conflicts().length, 1)
  world.undo(right)
  t.match(world.fold.state.get(recordKey)?.value, { values: ['192.0.2.2'] })
  t.same(world.fold.conflicts(), [])
  t.same(world.plan(left).skipped.length, 1)
})

t.test('a release goes back to the one before; the chain of rollbacks stays short', async (t) => {
  const world = new World()
  world.write([setDomain()])
  const one = world.write([publish('a')])
  const two = world.write([publish('b')])
  const three = world.write([publish('c')])
  const back = world.undo(three) as Operation
  t.match(back.changes, [{ tree: 'b'.repeat(64), rollbackOf: two.id }])
  t.notOk('via' in (back.changes[0] as Change))
  const four = world.write([publish('d')])
  t.match(world.plan(four).changes, [{ tree: 'b'.repeat(64), rollbackOf: two.id }])
  t.same(world.plan(one).skipped, [{ key: keys.release(apex), reason: 'rewritten', by: four.id }])
})

t.test('a release that was purged does not come back', async (t) => {
  const world = new World()
  world.write([setDomain()])
  world.write([publish('a')])
  const two = world.write([publish('b')])
  const purge = world.write([{ kind: 'release.purge', domain: apex, keep: two.id }])
  t.same(world.plan(two), {
    changes: [],
    restored: [],
    skipped: [{ key: keys.release(apex), reason: 'purged', by: purge.id }],
  })
  t.throws(() => world.plan(purge), { code: 'MAKI_OPERATION_REFUSED', message: /purged/ })
})

t.test('membership, seals and certificates are refused with the command that does it', async (t) => {
  const world = new World()
  const admit = world.write([{ kind: 'operator.add', key: testSigner(12).key, name: 'ann', role: 'operator' }])
  t.throws(() => world.plan(cluster.creation), { code: 'MAKI_OPERATION_REFUSED', message: /created the cluster/ })
  t.throws(() => world.plan(admit), { code: 'MAKI_OPERATION_REFUSED', hint: 'maki operator remove ann' })
  const mesh = { publicKey: Buffer.alloc(32, 7).toString('base64'), port: 51880 } as never
  const moved = world.write([{ kind: 'node.update', key: testSigner(9).key, set: { mesh } }])
  t.throws(() => world.plan(moved), { code: 'MAKI_OPERATION_REFUSED', hint: /machine set NAME --endpoint/ })
})
