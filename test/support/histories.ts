import {
  type CertificateName,
  type Change,
  type ClusterId,
  compareStamps,
  createOperation,
  createSigner,
  Fold,
  type Hostname,
  type NodeName,
  nextStamp,
  type Operation,
  type OwnerName,
  type SealEpochKey,
  type Signer,
  type WireGuardKey,
} from '../../core/index.ts'
import type { Random } from './seeds.ts'

export function testSigner(number: number): Signer {
  return createSigner(Uint8Array.from({ length: 32 }, (_, i) => (number * 7 + i * 13 + (number >> 8)) & 0xff))
}

export interface TestCluster {
  readonly id: ClusterId
  readonly creation: Operation
  readonly recovery: Signer
  readonly operator: Signer
}

export function createTestCluster(wallMs = 1_700_000_000_000): TestCluster {
  const recovery = testSigner(1)
  const operator = testSigner(2)
  const creation = createOperation(operator, undefined, {
    stamp: { wallMs, counter: 0 },
    heads: [],
    changes: [
      { kind: 'cluster.create', name: 'test', recovery: recovery.key, operator: { key: operator.key, name: 'owner' } },
    ],
  })
  return { id: creation.id as string as ClusterId, creation, recovery, operator }
}

export const domains = ['example.com', 'example.org', 'example.net'] as Hostname[]

/** A change that any operator could make, from a small pool of keys so that histories collide. */
export function randomChange(random: Random, signers: readonly Signer[]): Change {
  const domain = random.pick(domains)
  const name = random.pick(['@', 'www', 'mail'] as OwnerName[])
  const host = random.pick(['www.example.com', 'www.example.org', 'example.net'] as Hostname[])
  const via = random.chance(0.3) ? { via: random.pick(['blog', 'shop']) } : {}
  switch (random.integer(19)) {
    case 0:
      return { kind: 'domain.remove', domain, ...via }
    case 1:
    case 2:
      return { kind: 'domain.set', domain, spa: random.chance(0.5), onConcurrent: 'latest', previews: true, ...via }
    case 3:
      return { kind: 'alias.set', domain, host, ...via }
    case 4:
      return { kind: 'alias.remove', domain, host, ...via }
    case 5:
      return { kind: 'record.remove', domain, name, type: 'A', ...via }
    case 6: {
      const hash = random.integer(4).toString(16).repeat(64) as never
      return { kind: 'release.publish', domain, manifest: hash, tree: hash, files: 1, bytes: 2, aliases: [], ...via }
    }
    case 7: {
      const { key } = random.pick(signers)
      return { kind: 'node.update', key, set: { drained: random.chance(0.5) } }
    }
    case 8: {
      const { key } = random.pick(signers)
      const nodeName = random.pick(['berlin', 'tokyo'] as NodeName[])
      const addresses = { ipv4: `192.0.2.${random.integer(250)}`, ipv6: null }
      return { kind: 'node.join', key, name: nodeName, addresses, place: null, nameserver: true, drained: false }
    }
    case 9:
      return { kind: 'release.hold', domain, hold: random.chance(0.5) }
    case 10: {
      const epoch = testSigner(30 + random.integer(2)).key as string as SealEpochKey
      if (random.chance(0.5)) return { kind: 'seal.epoch', epoch }
      return { kind: 'seal.grant', epoch, node: random.pick(signers).key, box: random.pick(['AA', 'BB']) }
    }
    case 11: {
      const certificate = random.pick(['example.com', '*.example.com'] as CertificateName[])
      if (random.chance(0.3)) return { kind: 'certificate.remove', name: certificate }
      const epoch = testSigner(30).key as string as SealEpochKey
      const dates = { notBeforeMs: 0, notAfterMs: random.integer(3) }
      return {
        kind: 'certificate.set',
        name: certificate,
        names: [certificate],
        chain: '',
        key: { epoch, box: 'AA' },
        ...dates,
      }
    }
    case 12: {
      const peer = random.pick(['office', 'phone'] as NodeName[])
      if (random.chance(0.3)) return { kind: 'peer.remove', name: peer }
      const publicKey = Buffer.alloc(32, random.integer(3)).toString('base64') as WireGuardKey
      return { kind: 'peer.set', name: peer, publicKey, endpoint: null, address: 'fd00:1:2:1::7' }
    }
    case 13: {
      if (random.chance(0.3)) return { kind: 'challenge.remove', host, author: random.pick(signers).key }
      return { kind: 'challenge.set', host, http: [], dns: [], untilMs: random.integer(3) }
    }
    case 14: {
      const certificate = random.pick(['example.com', '*.example.com'] as CertificateName[])
      const directory = 'https://ca.example/directory'
      const phase = random.pick(['open', 'failed', 'done'] as const)
      const value = { name: certificate, directory, names: [certificate], startedMs: [], failures: 0 }
      return { kind: 'certificate.order', ...value, phase }
    }
    default:
      return random.integer(6) === 0
        ? { kind: 'record.set', domain, name, type: 'A', ttl: 300, values: [], geo: true, ...via }
        : { kind: 'record.set', domain, name, type: 'A', ttl: 300, values: [`192.0.2.${random.integer(4)}`], ...via }
  }
}

/** A change of who belongs. */
export function randomMembershipChange(random: Random, signers: readonly Signer[]): Change {
  const { key } = random.pick(signers)
  const how = random.pick(['retire', 'revoke'] as const)
  if (random.chance(0.4)) return { kind: random.pick(['operator.remove', 'node.remove'] as const), key, how }
  return {
    kind: 'operator.add',
    key,
    name: 'someone',
    role: random.pick(['operator', 'operator', 'deployer'] as const),
    domains,
  }
}

export interface HistoryOptions {
  readonly operations: number
  /** Share of operations that add or remove members. */
  readonly membership: number
  /** Share of operations whose heads lie anywhere in the past, as a thief or an offline laptop would choose them. */
  readonly backdated: number
  /** What all of it follows; without it, the creation. */
  readonly start?: Operation
}

/** A random history with forks and merges, heads first. Any signer may sign, member or not. */
export function randomHistory(random: Random, cluster: TestCluster, options: HistoryOptions): Operation[] {
  const signers = [cluster.recovery, cluster.operator, ...Array.from({ length: 4 }, (_, i) => testSigner(i + 10))]
  const { start } = options
  const history = start === undefined ? [cluster.creation] : [cluster.creation, start]
  for (let i = 0; i < options.operations; i++) {
    const past = start === undefined ? history : history.slice(1)
    const recent = random.chance(options.backdated) ? past : past.slice(-4)
    const heads = Array.from({ length: 1 + random.integer(3) }, () => random.pick(recent))
    const newest = heads.map((head) => head.stamp).sort(compareStamps)
    const stamp = nextStamp((newest.at(-1)?.wallMs ?? 0) + random.integer(3), newest)
    const changes = Array.from({ length: 1 + random.integer(3) }, () =>
      random.chance(options.membership) ? randomMembershipChange(random, signers) : randomChange(random, signers),
    )
    const signer = random.chance(0.5) ? cluster.operator : random.pick(signers)
    const heads_ = [...new Set(heads.map((head) => head.id))]
    history.push(createOperation(signer, cluster.id, { stamp, heads: heads_, changes }))
  }
  return history
}

/** Those that a replica takes: by somebody who was admitted in their past, and what follows only such ones. Heads first. */
export function keepAdmitted(history: readonly Operation[]): Operation[] {
  const fold = new Fold()
  return history.filter((operation) => {
    if (operation.heads.some((head) => !fold.has(head))) return false
    try {
      fold.check(operation)
    } catch {
      return false
    }
    fold.add(operation)
    return true
  })
}

/** Admits everybody who signs in a random history as an operator. */
export function admitSigners(cluster: TestCluster): Operation {
  const changes = Array.from({ length: 4 }, (_, i): Change => {
    return { kind: 'operator.add', key: testSigner(i + 10).key, name: `operator ${i}`, role: 'operator' }
  })
  const stamp = nextStamp(0, [cluster.creation.stamp])
  return createOperation(cluster.operator, cluster.id, { stamp, heads: [cluster.creation.id], changes })
}

/** The same operations in a random order in which heads still come first. */
export function shuffleCausally(random: Random, history: readonly Operation[]): Operation[] {
  const placed = new Set<string>()
  let waiting = random.shuffle(history)
  const order: Operation[] = []
  while (waiting.length > 0) {
    const ready = waiting.filter((operation) => operation.heads.every((head) => placed.has(head)))
    const next = random.pick(ready)
    placed.add(next.id)
    order.push(next)
    waiting = waiting.filter((operation) => operation !== next)
  }
  return order
}
