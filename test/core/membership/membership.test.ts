import t from 'tap'
import { compareOperations, type MemberKey, type OperationId } from '../../../core/index.ts'
import {
  compareMembers,
  compileDemands,
  foldMembership,
  judge,
  type Member,
  type Members,
  type MembershipOperation,
  readMembership,
} from '../../../core/membership/membership.ts'
import { randomAttack, randomCompany } from '../../support/attacks.ts'
import { createTestCluster } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const cluster = createTestCluster()

/** The rule word for word: of those who are not taken yet the most senior is next, every time looked for among all. */
function foldByRule(
  operations: readonly MembershipOperation[],
  isAncestor: (a: OperationId, b: OperationId) => boolean,
): Members {
  const sorted = operations.toSorted(compareOperations)
  const members = new Map<MemberKey, Member>()
  const done = new Set<MemberKey>()
  const removals: { key: MemberKey; cut: Member['cuts'][number] }[] = []
  const admit = (operation: MembershipOperation, by: Member | undefined) => {
    for (const { key, role, domains } of operation.additions) {
      const known = members.get(key)
      if (done.has(key)) continue
      const depth = by === undefined ? (role === 'recovery' ? 0 : 1) : by.rank[1] + 1
      const fresh = {
        key,
        rank: [role === 'node' || role === 'deployer' ? 1 : 0, depth, operation.stamp, operation.id] as const,
        grants: [...(known?.grants ?? []), { operation: operation.id, role, domains }],
        cuts: [],
      }
      const isSenior = known === undefined || compareMembers(fresh, known) < 0
      members.set(key, isSenior ? fresh : { ...known, grants: fresh.grants })
    }
  }
  const isCreation = ({ additions }: MembershipOperation) => additions.some(({ role }) => role === 'recovery')
  for (const operation of operations) if (isCreation(operation)) admit(operation, undefined)
  for (;;) {
    const [taken] = [...members.values()].filter(({ key }) => !done.has(key)).sort(compareMembers)
    if (taken === undefined) return members
    const cuts = removals.filter(({ key }) => key === taken.key).map(({ cut }) => cut)
    const next = { ...taken, cuts }
    members.set(next.key, next)
    done.add(next.key)
    for (const operation of sorted) {
      if (operation.author !== next.key || judge(operation, operation.demands, next, isAncestor) !== undefined) continue
      if (!isCreation(operation)) admit(operation, next)
      for (const { key, how } of operation.removals)
        if (!done.has(key)) removals.push({ key, cut: { operation: operation.id, how } })
    }
  }
}

for (const seed of seeds(60)) {
  t.test(`members are taken by rank, whoever is promoted meanwhile (SEED=${seed})`, (t) => {
    const random = createRandom(seed)
    const company = randomCompany(random, cluster)
    const attack = randomAttack(random, cluster, random.pick(company.operators), company, { operations: 20, phase: 0 })
    const history = random.shuffle([...company.history, ...attack])
    const heads = new Map(history.map((operation) => [operation.id, operation.heads]))
    const isAncestor = (a: OperationId, b: OperationId): boolean =>
      (heads.get(b) ?? []).some((head) => head === a || isAncestor(a, head))
    const operations = history.flatMap(
      (operation) => readMembership(operation, compileDemands(operation.changes)) ?? [],
    )
    const sorted = (members: Members) => [...members.values()].sort(compareMembers)
    t.same(sorted(foldMembership(operations, isAncestor)), sorted(foldByRule(operations, isAncestor)))
    t.end()
  })
}

t.test('thousands whom one operation admits are no more work than as many', (t) => {
  const key = (number: number) => number.toString(32).padStart(52, '-') as MemberKey
  const fold = (count: number): number => {
    const changes = Array.from(
      { length: count },
      (_, i) => ({ kind: 'operator.add', key: key(i), name: `o${i}`, role: 'operator' }) as const,
    )
    // Ranks are compared by their stamps: how often one is read says how often they are.
    let asked = 0
    const stamp = {
      get wallMs() {
        asked++
        return cluster.creation.stamp.wallMs + 1
      },
      counter: 0,
    }
    const addition = { id: key(0) as string as OperationId, author: cluster.operator.key, stamp, changes }
    const operations = [cluster.creation, addition].map(
      (operation) => readMembership(operation, compileDemands(operation.changes)) as MembershipOperation,
    )
    t.equal(foldMembership(operations, () => true).size, count + 2)
    return asked
  }
  t.ok(fold(4000) < 3 * fold(2000), 'twice as many are some two times the work')
  t.end()
})
