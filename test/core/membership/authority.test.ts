import t from 'tap'
import {
  type Change,
  compareMembers,
  encodeCanonical,
  Fold,
  isOperator,
  isRemoved,
  keys,
  type Member,
  type MemberKey,
  type Operation,
  type OperationId,
  type Signer,
} from '../../../core/index.ts'
import { follow, randomAttack, randomCompany } from '../../support/attacks.ts'
import { createTestCluster, shuffleCausally } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** Promise 3: a member is bounded by its role and rank, also with a stolen key that back-dates, forks and removes others. */

const cluster = createTestCluster()

function foldAll(history: readonly Operation[]): Fold {
  const fold = new Fold()
  for (const operation of history) fold.add(operation)
  return fold
}

const hex = (value: unknown): string => Buffer.from(encodeCanonical(value)).toString('hex')

/** By key: value and provenance. */
const entriesOf = (fold: Fold): Map<string, string> =>
  new Map(fold.state.snapshot().entries.map(([key, entry]) => [key, hex([entry?.value, entry?.operation])]))

/** The keys that differ, gone ones included. */
function differences(a: Fold, b: Fold): string[] {
  const [before, after] = [entriesOf(a), entriesOf(b)]
  return [...new Set([...before.keys(), ...after.keys()])].filter((key) => before.get(key) !== after.get(key)).sort()
}

const standing = ({ grants, cuts }: Member): string =>
  JSON.stringify([
    grants.map(({ operation }) => operation).sort(),
    cuts.map(({ operation, how }) => operation + how).sort(),
  ])

const standings = (fold: Fold, of: (key: MemberKey) => boolean = () => true) =>
  Object.fromEntries([...fold.members].filter(([key]) => of(key)).map(([key, member]) => [key, standing(member)]))

const voidsOf = (fold: Fold, among: readonly Operation[]): OperationId[] =>
  among.filter(({ id }) => fold.voidReason(id) !== undefined).map(({ id }) => id)

/** How often the attacks above did what they are to be bounded in: a law about nothing proves nothing. */
const seen = { deployer: 0, node: 0, removed: 0, cut: 0, kept: 0, wrote: 0 }

/** Whether what a member was admitted for lets it write a key of the state. */
function mayWrite({ key: self, grants }: Member, key: string): boolean {
  return grants.some(({ role, domains }) => {
    switch (role) {
      case 'recovery':
      case 'operator':
        return true
      case 'deployer':
        return domains.some((apex) => [keys.release(apex), keys.hold(apex), keys.purge(apex)].includes(key))
      case 'node':
        if (/^(certificate|account|challenge|revocation)\//.test(key)) return true
        return (/^(seal|order)\//.test(key) && key.endsWith(`/${self}`)) || key.startsWith(`${keys.node(self)}/`)
      default:
        return role satisfies never
    }
  })
}

for (const seed of seeds(120)) {
  for (const role of ['deployer', 'node'] as const) {
    t.test(
      `a thief with a ${role}’s key changes what it was admitted for, and nothing else (SEED=${seed})`,
      async (t) => {
        const random = createRandom(seed)
        const company = randomCompany(random, cluster)
        const { history } = company
        const thief = company[role]
        const attack = randomAttack(random, cluster, thief, company, { operations: 12, phase: 0 })
        const before = foldAll(history)
        const after = foldAll([...history, ...attack])
        const member = before.members.get(thief.key) as Member
        const changed = differences(before, after)
        t.same(
          changed.filter((key) => !mayWrite(member, key)),
          [],
        )
        t.same(standings(after), standings(before), 'who belongs')
        t.same(voidsOf(after, history), voidsOf(before, history), 'what counts')
        seen[role] += changed.length
      },
    )
  }

  t.test(`a thief with an operator’s key changes nothing of who ranks above it (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const company = randomCompany(random, cluster)
    const { history, operators } = company
    const before = foldAll(history)
    const thief = random.pick(operators.slice(1).filter(({ key }) => before.members.has(key)))
    const rank = before.members.get(thief.key) as Member
    const isAbove = (key: MemberKey): boolean => {
      const member = before.members.get(key)
      return member !== undefined && compareMembers(member, rank) < 0
    }
    const attack = randomAttack(random, cluster, thief, company, { operations: 14, phase: 0 })
    const after = foldAll(shuffleCausally(random, [...history, ...attack]))
    t.same(standings(after, isAbove), standings(before, isAbove), 'who was above is as it was')
    const above = history.filter(({ author }) => isAbove(author))
    t.same(voidsOf(after, above), voidsOf(before, above), 'what they did counts as before')
    // Of the others something is void only where somebody whom the thief outranks was removed, by a removal that counts.
    for (const { id, author } of history) {
      if (after.voidReason(id) === before.voidReason(id)) continue
      const cuts = after.members.get(author)?.cuts ?? []
      const by = cuts.map(({ operation }) => attack.find((each) => each.id === operation)?.author)
      t.ok(cuts.length > 0 || after.members.get(author) === undefined || by.length === 0)
      const was = before.members.get(author)
      t.ok(was === undefined || compareMembers(rank, was) <= 0, 'only juniors lose something')
      seen.removed++
    }
    // A key that no counted operation of the attack touches, and none whose verdict turned, is as it was.
    const turned = new Set(
      history.filter(({ id }) => after.voidReason(id) !== before.voidReason(id)).map(({ id }) => id),
    )
    const isTheirs = new Set<string>(attack.map(({ id }) => id))
    for (const key of differences(before, after)) {
      const touching = [...after.touching(key), ...before.touching(key)]
      t.ok(
        touching.some((id) => isTheirs.has(id) || turned.has(id)),
        `${key} was written by the attack`,
      )
      seen.wrote++
    }
  })

  t.test(
    `revoking cuts exactly what the revocation had not seen: as if it had never been (SEED=${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const company = randomCompany(random, cluster)
      const { history, operators, deployer, node } = company
      const isIn = foldAll(history).members
      const thief = random.pick([...operators.slice(1), deployer, node].filter(({ key }) => isIn.has(key)))
      const noticed = randomAttack(random, cluster, thief, company, { operations: 5, phase: 0 })
      const known = [...history, ...noticed]
      const before = foldAll(known)
      const remover = pickSenior(random, before, thief, [cluster.recovery, ...operators])
      const heads = known.filter(({ id }) => before.heads().some((head) => head.id === id))
      const removal = revocation(thief, 'revoke')
      const revoked = follow(cluster, remover, heads, [removal], 5)
      const hidden = randomAttack(random, cluster, thief, company, { operations: 8, phase: 1, after: noticed })
      // Also after it has heard of the revocation.
      const late = randomAttack(random, cluster, thief, company, {
        operations: 3,
        phase: 1,
        after: [...noticed, revoked],
      })
      const without = foldAll([...known, revoked])
      const all = foldAll(shuffleCausally(random, [...known, revoked, ...hidden, ...late]))
      t.equal(all.voidReason(revoked.id), undefined)
      t.same(voidsOf(all, [...hidden, ...late]).length, hidden.length + late.length, 'all of it is void')
      t.same(differences(without, all), [], 'the state is as if it had never been')
      t.same(standings(all), standings(without), 'and so are the members')
      t.same(all.conflicts(), without.conflicts())
      const own = known.filter(({ author }) => author === thief.key)
      t.same(voidsOf(without, own), voidsOf(before, own), 'what the remover had seen counts as before')
      t.notOk(all.isMember(thief.key))
      seen.cut += hidden.length
      const again = follow(
        cluster,
        remover,
        [revoked],
        [{ kind: 'operator.add', key: thief.key, name: 'back', role: 'operator' }],
      )
      all.add(again)
      t.notOk(all.isMember(thief.key), 'the remover cannot take it back, nor can a junior')
      t.same(voidsOf(all, [...hidden, ...late]).length, hidden.length + late.length)
    },
  )

  t.test(`retiring keeps what was done without knowing of it (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const company = randomCompany(random, cluster)
    const { history, operators, deployer, node } = company
    const isIn = foldAll(history).members
    const member = random.pick([...operators.slice(1), deployer, node].filter(({ key }) => isIn.has(key)))
    const known = foldAll(history)
    const heads = history.filter(({ id }) => known.heads().some((head) => head.id === id))
    const remover = pickSenior(random, known, member, [cluster.recovery, ...operators])
    const retired = follow(cluster, remover, heads, [revocation(member, 'retire')], 5)
    const work = Array.from({ length: 5 }, () => {
      const change: Change = {
        kind: 'release.publish',
        ...publish,
        domain: random.pick(company.deploys.length > 0 ? company.deploys : [apex]),
      }
      return follow(cluster, member, [random.pick(history)], [change])
    })
    const without = foldAll([...history, ...work])
    const all = foldAll(shuffleCausally(random, [...history, retired, ...work]))
    t.same(voidsOf(all, [...history, ...work]), voidsOf(without, [...history, ...work]), 'all that counted counts')
    const changed = differences(without, all)
    t.ok(
      changed.every((key) => key === keys.member(member.key) || key.startsWith('node')),
      `${changed}`,
    )
    const later = follow(cluster, member, [retired, ...work], [{ kind: 'release.hold', domain: apex, hold: true }])
    all.add(later)
    t.ok(all.voidReason(later.id), 'what follows the removal does not count')
    seen.kept += work.length - voidsOf(all, work).length
  })

  t.test(`the recovery key wins over everybody, and nobody over it (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const company = randomCompany(random, cluster)
    const { history, operators } = company
    // Every other key is stolen at once.
    const attack = operators.flatMap((thief, phase) =>
      randomAttack(random, cluster, thief, company, { operations: 6, phase }),
    )
    const laptop = operators[0] as Signer
    const rescue = follow(
      cluster,
      cluster.recovery,
      [history.at(-1) as Operation],
      [
        ...operators.map((thief) => revocation(thief, 'revoke')),
        { kind: 'operator.add', key: company.deployer.key, name: 'new laptop', role: 'operator' },
      ],
      1,
    )
    const work = follow(cluster, company.deployer, [rescue], [{ kind: 'domain.remove', domain: apex }])
    const all = foldAll(shuffleCausally(random, [...history, ...attack, rescue, work]))
    t.equal(all.voidReason(rescue.id), undefined)
    t.equal(all.voidReason(work.id), undefined, 'whom it admitted can work at once')
    t.same(
      [...all.members.values()]
        .filter((member) => isOperator(member) && !isRemoved(member))
        .map(({ key }) => key)
        .sort(),
      [cluster.recovery.key, company.deployer.key].sort(),
    )
    t.notOk(all.isMember(laptop.key))
    t.same(voidsOf(all, attack).length, attack.length)
  })
}

if (process.env.SEED === undefined)
  t.test('the attacks above did what they are bounded in', async (t) => {
    for (const [what, times] of Object.entries(seen)) t.ok(times > 20, `${what}: ${times}`)
  })

const apex = 'example.com' as never
const hash = 'ab'.repeat(32) as never
const publish = { manifest: hash, tree: hash, files: 0, bytes: 0, aliases: [] } as const

function revocation({ key }: Signer, how: 'retire' | 'revoke'): Change {
  return { kind: 'operator.remove', key, how }
}

/** Whoever still can remove the member. */
function pickSenior(
  random: ReturnType<typeof createRandom>,
  fold: Fold,
  { key }: Signer,
  signers: readonly Signer[],
): Signer {
  const removed = fold.members.get(key) as Member
  const able = signers.filter((signer) => {
    const member = fold.members.get(signer.key)
    return member !== undefined && !isRemoved(member) && isOperator(member) && compareMembers(member, removed) < 0
  })
  return random.pick(able)
}
