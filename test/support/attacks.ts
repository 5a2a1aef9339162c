import {
  type CertificateName,
  type Change,
  compareStamps,
  createOperation,
  type Hostname,
  type NodeName,
  nextStamp,
  type Operation,
  type SealEpochKey,
  type Signer,
} from '../../core/index.ts'
import { domains, randomChange, randomMembershipChange, type TestCluster, testSigner } from './histories.ts'
import type { Random } from './seeds.ts'

/** Keys of one of each kind of member, and an honest history by all of them. */
export interface Company {
  readonly history: readonly Operation[]
  /** Most senior first, in a line of additions: each admitted the next. */
  readonly operators: readonly Signer[]
  readonly deployer: Signer
  /** The domains that the deployer was admitted for. */
  readonly deploys: readonly Hostname[]
  readonly node: Signer
}

/** Ten years: what is stamped so far ahead wins every comparison of stamps. */
const FAR_AHEAD_MS = 10 * 365 * 86_400_000

/** An operation after some others; its stamp is theirs, or later by `laterMs`. */
export function follow(
  cluster: TestCluster,
  signer: Signer,
  heads: readonly Operation[],
  changes: readonly Change[],
  laterMs = 0,
): Operation {
  const stamps = heads.map(({ stamp }) => stamp).sort(compareStamps)
  const stamp = nextStamp((stamps.at(-1)?.wallMs ?? 0) + laterMs, stamps)
  return createOperation(signer, cluster.id, { stamp, heads: [...new Set(heads.map(({ id }) => id))], changes })
}

/** A cluster with operators above and below each other, a deployer, a node, and what they did, forks and merges included. */
export function randomCompany(random: Random, cluster: TestCluster): Company {
  const operators = [cluster.operator, testSigner(61), testSigner(62), testSigner(63)]
  const deployer = testSigner(64)
  const node = testSigner(65)
  const deploys = domains.filter(() => random.chance(0.5))
  const history = [cluster.creation]
  const add = (signer: Signer, changes: readonly Change[]) => {
    const recent = random.chance(0.3) ? history : history.slice(-3)
    const heads = Array.from({ length: 1 + random.integer(2) }, () => random.pick(recent))
    history.push(follow(cluster, signer, heads, changes, random.integer(3)))
  }
  const admit = (by: Signer, change: Change) =>
    history.push(follow(cluster, by, [history.at(-1) as Operation], [change], 1))
  const addresses = { ipv4: null, ipv6: null }
  const join = { name: 'berlin' as NodeName, addresses, place: null, nameserver: true, drained: false }
  const admissions: (() => void)[] = [
    ...operators.slice(1).map(
      ({ key }, i) =>
        () =>
          admit(operators[i] as Signer, { kind: 'operator.add', key, name: `o${i}`, role: 'operator' }),
    ),
    () =>
      admit(random.pick(operators.slice(0, 1)), {
        kind: 'operator.add',
        key: deployer.key,
        name: 'ci',
        role: 'deployer',
        domains: deploys,
      }),
    () => admit(cluster.operator, { kind: 'node.join', key: node.key, ...join }),
  ]
  for (const next of admissions) {
    next()
    while (random.chance(0.5)) add(random.pick(operators), [randomChange(random, operators)])
  }
  for (let i = 0; i < 12; i++) {
    const signer = random.pick([...operators, deployer, node])
    add(
      signer,
      Array.from({ length: 1 + random.integer(2) }, () => randomChange(random, [...operators, deployer, node])),
    )
  }
  return { history, operators, deployer, deploys, node }
}

/**
 * What somebody with a stolen key, and those whom it admits, could sign: anything, after anything, at any time. `phase`
 * keeps the accomplices of several attacks apart.
 */
export function randomAttack(
  random: Random,
  cluster: TestCluster,
  thief: Signer,
  company: Company,
  options: { readonly operations: number; readonly phase: number; readonly after?: readonly Operation[] },
): Operation[] {
  const accomplices = [testSigner(70 + 2 * options.phase), testSigner(71 + 2 * options.phase)]
  const victims = [cluster.recovery, ...company.operators, company.deployer, company.node]
  const known = [...company.history, ...(options.after ?? [])]
  const attack: Operation[] = []
  for (let i = 0; i < options.operations; i++) {
    const pool = [...known, ...attack]
    const heads = Array.from({ length: 1 + random.integer(3) }, () => random.pick(pool))
    const signer = random.chance(0.7) ? thief : random.pick(accomplices)
    // Alone in its operation: one change too many voids the whole of it.
    const tempting = random.chance(0.4) ? temptation(random, thief, known) : undefined
    const changes = Array.from({ length: tempting === undefined ? 1 + random.integer(2) : 1 }, () => {
      if (tempting !== undefined) return tempting
      if (random.chance(0.25)) return randomMembershipChange(random, accomplices)
      if (random.chance(0.35)) return randomMembershipChange(random, victims)
      return randomChange(random, [...victims, thief, ...accomplices])
    })
    attack.push(follow(cluster, signer, heads, changes, random.chance(0.2) ? FAR_AHEAD_MS : 0))
  }
  return attack
}

/** What a deployer or a node might be let do. */
function temptation(random: Random, { key }: Signer, known: readonly Operation[]): Change {
  const domain = random.pick(domains)
  const hash = random.integer(10).toString(16).repeat(64) as never
  const name = domain as string as CertificateName
  const dates = { notBeforeMs: 0, notAfterMs: random.integer(100) }
  const epoch = testSigner(30 + random.integer(9)).key as string as SealEpochKey
  return random.pick<Change>([
    { kind: 'release.publish', domain, manifest: hash, tree: hash, files: 1, bytes: 2, aliases: [] },
    { kind: 'release.purge', domain, keep: random.pick(known).id },
    { kind: 'release.hold', domain, hold: random.chance(0.5) },
    { kind: 'node.update', key, set: { drained: random.chance(0.5) } },
    { kind: 'seal.grant', epoch, node: key, box: 'CC' },
    { kind: 'certificate.set', name, names: [name], chain: 'x', key: { epoch, box: 'AA' }, ...dates },
  ])
}
