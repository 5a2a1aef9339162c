import t from 'tap'
import {
  type Change,
  createOperation,
  Fold,
  isRemoved,
  type MemberKey,
  type Members,
  nextStamp,
  type Operation,
  type OperationId,
  planRemoval,
} from '../../../core/index.ts'
import {
  createTestCluster,
  randomChange,
  randomHistory,
  randomMembershipChange,
  testSigner,
} from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const cluster = createTestCluster()
const signers = [cluster.recovery, cluster.operator, ...Array.from({ length: 4 }, (_, i) => testSigner(i + 10))]

function foldAll(history: readonly Operation[]): Fold {
  const fold = new Fold()
  for (const operation of history) fold.add(operation)
  return fold
}

const voidsOf = (fold: Fold): Set<OperationId> => new Set(fold.voids().map(({ operation }) => operation))
const minus = (a: ReadonlySet<OperationId>, b: ReadonlySet<OperationId>) => [...a].filter((id) => !b.has(id)).sort()

/** Members as they can be compared: what an operation is called before it is signed is put right. */
const standings = (members: Members, draft: OperationId | '' = '') =>
  Object.fromEntries(
    [...members].map(([key, { rank, grants, cuts }]) => [
      key,
      [rank, ...grants, ...cuts].map((part) => JSON.stringify(part).replaceAll('""', JSON.stringify(draft))).sort(),
    ]),
  )

let voided = 0
let revived = 0
for (const seed of seeds(150)) {
  t.test(`a preview says exactly what adding the operation does, and changes nothing (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const history = randomHistory(random, cluster, { operations: 40, membership: 0.35, backdated: 0.4 })
    const fold = foldAll(history)
    const digest = fold.digest()
    const before = voidsOf(fold)
    for (let i = 0; i < 6; i++) {
      const signer = random.pick(signers)
      const followed = Array.from({ length: 1 + random.integer(3) }, () => random.pick(history))
      const changes = Array.from({ length: 1 + random.integer(2) }, () =>
        random.chance(0.8) ? randomMembershipChange(random, signers) : randomChange(random, signers),
      )
      const draft = {
        stamp: nextStamp(
          0,
          followed.map(({ stamp }) => stamp),
        ),
        heads: [...new Set(followed.map(({ id }) => id))],
        changes,
      }
      const preview = fold.preview({ author: signer.key, ...draft })
      t.same(fold.digest(), digest, 'nothing is changed')
      const operation = createOperation(signer, cluster.id, draft)
      const after = foldAll([...history, operation])
      const now = voidsOf(after)
      t.equal(preview.reason === undefined, !now.has(operation.id), 'whether it counts itself')
      now.delete(operation.id)
      t.same([...preview.voids].sort(), minus(now, before), 'what becomes void')
      t.same([...preview.counted].sort(), minus(before, now), 'what counts again')
      t.same(standings(preview.members, operation.id), standings(after.members), 'who belongs')
      voided += preview.voids.length
      revived += preview.counted.length
    }
  })

  t.test(
    `the plan of a removal lists the voids after it, and refuses what would do nothing (SEED=${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const history = randomHistory(random, cluster, { operations: 40, membership: 0.3, backdated: 0.4 })
      const fold = foldAll(history)
      const before = voidsOf(fold)
      // As a replica with some of the tips only would sign it.
      const tips = fold.heads().slice(-1 - random.integer(4))
      const stamp = nextStamp(
        0,
        tips.map((tip) => tip.stamp),
      )
      const heads = tips.map(({ id }) => id)
      const source = {
        members: fold.members,
        preview: (author: MemberKey, changes: readonly Change[]) => fold.preview({ author, stamp, heads, changes }),
      }
      for (const remover of signers) {
        for (const { key } of random.shuffle(signers).slice(0, 2)) {
          const how = random.pick(['retire', 'revoke'] as const)
          const plan = planRemoval(source, remover.key, key, how)
          const changes = plan.kind === 'possible' ? plan.changes : [{ kind: 'operator.remove', key, how } as const]
          const operation = createOperation(remover, cluster.id, { stamp, heads, changes })
          const after = foldAll([...history, operation])
          const now = voidsOf(after)
          const counts = !now.delete(operation.id)
          if (plan.kind === 'possible') {
            t.same([...plan.voids].sort(), minus(now, before), 'the list equals the voids after the removal')
            t.same([...plan.counted].sort(), minus(before, now))
            t.ok(counts, 'it counts')
            t.notOk(after.isMember(key), 'it is a member no more')
          } else if (!(plan.kind === 'powerless' && counts && isRemoved(fold.members.get(remover.key)!))) {
            // Of a remover who was removed, what does not follow its removal may count; a replica follows it.
            t.equal(after.isMember(key), fold.isMember(key), `${plan.kind}: nothing comes of it`)
            if (plan.kind === 'senior' || plan.kind === 'self') {
              t.ok(plan.able.every((able) => !isRemoved(fold.members.get(able)!)))
              t.equal(plan.able.length === 0, key === cluster.recovery.key, 'the recovery key can always')
            }
          }
        }
      }
    },
  )
}

if (process.env.SEED === undefined)
  t.test('the previews above voided operations and let others count again', async (t) => {
    t.ok(voided > 50, `${voided}`)
    t.ok(revived > 0, `${revived}`)
  })
