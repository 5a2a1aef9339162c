import t from 'tap'
import {
  compareOperations,
  createOperation,
  type Entry,
  encodeCanonical,
  Fold,
  type Hostname,
  keys,
  nextStamp,
  type Operation,
  type OwnerName,
  type Signer,
  StateTable,
} from '../../../core/index.ts'
import { foldByDefinition } from '../../support/fold-by-definition.ts'
import { createTestCluster, domains, randomHistory, shuffleCausally, testSigner } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const cluster = createTestCluster()

function foldAll(history: readonly Operation[]): Fold {
  const fold = new Fold()
  for (const operation of history) fold.add(operation)
  return fold
}

const bytesOf = (fold: Fold) =>
  Buffer.from(encodeCanonical([...fold.state.snapshot().entries].sort((a, b) => (a[0] < b[0] ? -1 : 1)))).toString(
    'hex',
  )

for (const seed of seeds(60)) {
  t.test(`any order folds to the same bytes, and to what the definition says (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const history = randomHistory(random, cluster, {
      operations: 40,
      membership: seed % 2 === 0 ? 0.15 : 0.02,
      backdated: 0.2,
    })
    const fold = foldAll(history)
    for (let i = 0; i < 3; i++) {
      const again = foldAll(shuffleCausally(random, history))
      t.equal(bytesOf(again), bytesOf(fold), 'state')
      t.same(again.digest(), fold.digest(), 'digests')
      t.same(again.conflicts(), fold.conflicts(), 'conflicts')
      t.same(again.voids(), fold.voids(), 'void operations')
      t.same(again.heads(), fold.heads(), 'heads')
      t.equal(again.state.touches('domain'), fold.state.touches('domain'), 'touches')
    }
    const expected = foldByDefinition(history).values
    const actual = new Map(
      fold.state.snapshot().entries.map(([key, entry]) => [key, [(entry as Entry).value, (entry as Entry).operation]]),
    )
    t.same(Object.fromEntries([...actual].sort()), Object.fromEntries([...expected].sort()), 'the definition')
  })

  t.test(`deltas build the state, and adding twice is nothing (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const history = randomHistory(random, cluster, { operations: 30, membership: 0.1, backdated: 0.2 })
    const fold = new Fold()
    const mirror = new StateTable()
    for (const operation of history) {
      mirror.apply(fold.add(operation))
      t.same(fold.add(operation), { entries: [], touches: [] })
    }
    const sorted = (table: StateTable) => [...table.snapshot().entries].sort((a, b) => (a[0] < b[0] ? -1 : 1))
    t.same(sorted(mirror), sorted(fold.state as StateTable))
  })
}

/** Writes one change after given operations. */
function write(signer: Signer, heads: Operation[], changes: Operation['changes'], atMs = 0): Operation {
  const stamp = nextStamp(
    atMs,
    heads.map((head) => head.stamp),
  )
  return createOperation(signer, cluster.id, { stamp, heads: heads.map((head) => head.id), changes })
}
const apex = domains[0] as Hostname
const setDomain = { kind: 'domain.set', domain: apex, spa: false, onConcurrent: 'latest', previews: true } as const
const setRecord = (value: string) =>
  ({ kind: 'record.set', domain: apex, name: 'www' as OwnerName, type: 'A', ttl: 300, values: [value] }) as const
const recordKey = keys.record(apex, 'www' as OwnerName, 'A')

t.test('concurrent writes are a conflict until one has seen them', async (t) => {
  const base = write(cluster.operator, [cluster.creation], [setDomain])
  const left = write(cluster.operator, [base], [setRecord('192.0.2.1')])
  const right = write(cluster.operator, [base], [setRecord('192.0.2.2')], left.stamp.wallMs + 5)
  const fold = foldAll([cluster.creation, base, left, right])
  t.equal(fold.state.get(recordKey)?.operation, right.id)
  t.same(
    fold.conflicts().map(({ key, winner, losers }) => [key, winner.operation, losers.map((side) => side.operation)]),
    [[recordKey, right.id, [left.id]]],
  )
  const seen = write(cluster.operator, [left, right], [setRecord('192.0.2.3')])
  fold.add(seen)
  t.same(fold.conflicts(), [])
  t.same(fold.touching(recordKey), [left.id, right.id, seen.id])
})

t.test('equal values on two sides are no conflict', async (t) => {
  const left = write(cluster.operator, [cluster.creation], [setRecord('192.0.2.1')])
  const right = write(cluster.operator, [cluster.creation], [setRecord('192.0.2.1')], left.stamp.wallMs + 5)
  t.same(foldAll([cluster.creation, left, right]).conflicts(), [])
})

t.test('a set that did not see the removal of its scope competes with it', async (t) => {
  const base = write(cluster.operator, [cluster.creation], [setDomain])
  const removal = write(cluster.operator, [base], [{ kind: 'domain.remove', domain: apex }])
  const late = write(cluster.operator, [base], [setRecord('192.0.2.1')], removal.stamp.wallMs + 5)
  const fold = foldAll([cluster.creation, base, removal, late])
  t.equal(fold.state.get(recordKey)?.operation, late.id, 'the later one wins; it lies dormant, for the domain is gone')
  t.equal(fold.state.get(keys.domain(apex)), undefined)
  t.same(
    fold.conflicts().map(({ key }) => key),
    [recordKey],
  )
})

t.test('an operation that removes a domain and sets it up again keeps what it set', async (t) => {
  const base = write(cluster.operator, [cluster.creation], [setDomain, setRecord('192.0.2.1')])
  const fold = foldAll([cluster.creation, base])
  fold.add(write(cluster.operator, [base], [{ kind: 'domain.remove', domain: apex }, setDomain]))
  t.ok(fold.state.get(keys.domain(apex)))
  t.equal(fold.state.get(recordKey), undefined)
})

t.test('a thief who back-dates cannot remove who admitted it', async (t) => {
  const junior = testSigner(20)
  const add = write(
    cluster.operator,
    [cluster.creation],
    [{ kind: 'operator.add', key: junior.key, name: 'j', role: 'operator' }],
  )
  const honest = write(junior, [add], [setDomain])
  const revoke = write(
    cluster.operator,
    [honest],
    [{ kind: 'operator.remove', key: junior.key, how: 'revoke' }],
    2_000_000_000_000,
  )
  const theft = write(junior, [add], [{ kind: 'operator.remove', key: cluster.operator.key, how: 'revoke' }])
  const hidden = write(junior, [honest], [setRecord('203.0.113.9')])
  const fold = foldAll([cluster.creation, add, honest, theft, hidden, revoke])
  t.ok(fold.isMember(cluster.operator.key))
  t.notOk(fold.isMember(junior.key))
  t.ok(fold.state.get(keys.domain(apex)), 'what the remover had seen still counts')
  t.equal(fold.state.get(recordKey), undefined)
  t.same(new Set(fold.voids().map(({ operation }) => operation)), new Set([theft.id, hidden.id]))
})

t.test('retiring lets concurrent work of the removed count, revoking does not', async (t) => {
  for (const how of ['retire', 'revoke'] as const) {
    const junior = testSigner(21)
    const add = write(
      cluster.operator,
      [cluster.creation],
      [{ kind: 'operator.add', key: junior.key, name: 'j', role: 'operator' }],
    )
    const work = write(junior, [add], [setDomain])
    const removal = write(cluster.operator, [add], [{ kind: 'operator.remove', key: junior.key, how }])
    const after = write(junior, [work, removal], [setRecord('192.0.2.1')])
    const again = write(
      cluster.operator,
      [removal],
      [{ kind: 'operator.add', key: junior.key, name: 'j', role: 'operator' }],
    )
    const fold = foldAll([cluster.creation, add, work, removal, after, again])
    t.equal(fold.state.get(keys.domain(apex)) !== undefined, how === 'retire')
    t.equal(fold.state.get(recordKey), undefined)
    t.notOk(fold.isMember(junior.key), 'a removed key never returns')
  }
})

t.test('an operator can promote, extend and remove a deployer that was admitted before it', async (t) => {
  const junior = testSigner(21)
  const hash = 'ab'.repeat(32) as never
  const other = domains[1] as Hostname
  const publish = { kind: 'release.publish', domain: other, manifest: hash, tree: hash, files: 0, bytes: 0 } as const
  for (const role of ['operator', 'deployer'] as const) {
    const deployer = testSigner(22)
    const name = 'ci'
    const early = write(
      cluster.operator,
      [cluster.creation],
      [{ kind: 'operator.add', key: deployer.key, name, role: 'deployer', domains: [apex] }],
    )
    const admit = write(
      cluster.operator,
      [early],
      [{ kind: 'operator.add', key: junior.key, name: 'j', role: 'operator' }],
    )
    const more = write(
      junior,
      [admit],
      [{ kind: 'operator.add', key: deployer.key, name, role, domains: [apex, other] }],
    )
    const used = write(deployer, [more], [{ ...publish, aliases: [] }])
    const fold = foldAll([cluster.creation, early, admit, more, used])
    t.same(fold.voids(), [], role)
    t.ok(fold.state.get(keys.release(other)))
    fold.add(write(junior, [admit], [{ kind: 'operator.remove', key: deployer.key, how: 'revoke' }]))
    t.notOk(fold.isMember(deployer.key))
  }
})

t.test('roles bound what a member may change', async (t) => {
  const deployer = testSigner(22)
  const node = testSigner(23)
  const other = testSigner(24)
  const join = (key: Signer['key'], name: string) =>
    ({
      kind: 'node.join',
      key,
      name: name as never,
      addresses: { ipv4: null, ipv6: null },
      place: null,
      nameserver: true,
      drained: false,
    }) as const
  const hash = 'ab'.repeat(32) as never
  const publish = (domain: Hostname) =>
    ({ kind: 'release.publish', domain, manifest: hash, tree: hash, files: 0, bytes: 0, aliases: [] }) as const
  const base = write(
    cluster.operator,
    [cluster.creation],
    [
      { kind: 'operator.add', key: deployer.key, name: 'ci', role: 'deployer', domains: [apex] },
      join(node.key, 'one'),
      join(other.key, 'two'),
    ],
  )
  const cases: [Signer, Operation['changes'], boolean][] = [
    [deployer, [publish(apex)], true],
    [deployer, [publish(domains[1] as Hostname)], false],
    [deployer, [publish(apex), setRecord('192.0.2.1')], false],
    [node, [{ kind: 'node.update', key: node.key, set: { drained: true } }], true],
    [node, [{ kind: 'node.update', key: other.key, set: { drained: true } }], false],
    [node, [publish(apex)], false],
    [testSigner(99), [setDomain], false],
  ]
  for (const [signer, changes, allowed] of cases) {
    const operation = write(signer, [base], changes)
    const fold = foldAll([cluster.creation, base, operation])
    t.equal(fold.voidReason(operation.id) === undefined, allowed, JSON.stringify(changes.map((change) => change.kind)))
  }
})

for (const seed of seeds(100)) {
  t.test(`whatever a junior signs, what counts of its seniors stays (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const history = randomHistory(random, cluster, { operations: 25, membership: 0.5, backdated: 0.4 })
    const before = foldAll(history)
    const seniors = [...before.members.values()].sort(
      (a, b) =>
        a.rank[0] - b.rank[0] ||
        a.rank[1] - b.rank[1] ||
        compareOperations({ stamp: a.rank[2], id: a.rank[3] }, { stamp: b.rank[2], id: b.rank[3] }),
    )
    if (seniors.length < 3) return
    const index = 2 + random.integer(seniors.length - 2)
    const junior = [
      cluster.recovery,
      cluster.operator,
      ...Array.from({ length: 4 }, (_, i) => testSigner(i + 10)),
    ].find((signer) => signer.key === seniors[index]?.key) as Signer
    const attack: Operation[] = []
    for (let i = 0; i < 6; i++) {
      const heads = [random.pick([...history, ...attack])]
      const victim = random.pick(seniors)
      attack.push(
        write(junior, heads, [
          random.chance(0.6)
            ? { kind: 'operator.remove', key: victim.key, how: 'revoke' }
            : { kind: 'operator.add', key: testSigner(50 + i).key, name: 'x', role: 'operator' },
        ]),
      )
    }
    const after = foldAll([...history, ...attack])
    const senior = new Set(seniors.slice(0, index).map((member) => member.key))
    for (const operation of history) {
      if (!senior.has(operation.author)) continue
      t.equal(after.voidReason(operation.id), before.voidReason(operation.id), 'a senior’s operation keeps its verdict')
    }
  })
}

t.test('an operation is refused for its past alone', async (t) => {
  const fold = foldAll([cluster.creation])
  const stranger = write(testSigner(40), [cluster.creation], [setDomain])
  t.throws(() => fold.check(stranger), { code: 'MAKI_OPERATION_REFUSED' })
  const stale = createOperation(cluster.operator, cluster.id, {
    stamp: cluster.creation.stamp,
    heads: [cluster.creation.id],
    changes: [setDomain],
  })
  t.throws(() => fold.check(stale), { code: 'MAKI_OPERATION_REFUSED' })
  const junior = testSigner(41)
  const add = write(
    cluster.operator,
    [cluster.creation],
    [{ kind: 'operator.add', key: junior.key, name: 'j', role: 'operator' }],
  )
  const work = write(junior, [add], [setDomain])
  t.doesNotThrow(() => fold.check(work, new Map([[add.id, add]])), 'admitted in the same batch')
  const revoked = write(cluster.operator, [add], [{ kind: 'operator.remove', key: junior.key, how: 'revoke' }])
  for (const operation of [add, revoked]) fold.add(operation)
  t.doesNotThrow(() => fold.check(write(junior, [revoked], [setDomain])), 'void, but a member of the set')
})
