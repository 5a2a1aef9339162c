import type { MemberKey, OperationId } from '../ids.ts'
import type { Hostname } from '../names.ts'
import type { Change, Operation } from '../operation/index.ts'
import { compareOperations, type Stamp } from '../stamp.ts'
import type { Role } from '../state/index.ts'
import { Heap } from './heap.ts'

/** What membership needs to know of an operation that adds or removes members. */
export interface MembershipOperation {
  readonly id: OperationId
  readonly author: MemberKey
  readonly stamp: Stamp
  readonly additions: readonly Addition[]
  readonly removals: readonly { readonly key: MemberKey; readonly how: 'retire' | 'revoke' }[]
  /** Roles that may sign all changes of the operation. */
  readonly demands: Demands
}

interface Addition {
  readonly key: MemberKey
  readonly role: Role
  readonly domains: readonly Hostname[]
}

/** Who may make the changes of an operation; compiled once, judged again whenever membership changes. */
export interface Demands {
  /** True when some change is an operator's alone. */
  readonly operator: boolean
  /** True when some change is a duty of nodes: certificates, challenges and seals. */
  readonly duty: boolean
  /** Domains that are published to; a deployer needs them all. */
  readonly deploys: readonly Hostname[]
  /** Nodes that are updated; a node may update itself. */
  readonly updates: readonly MemberKey[]
}

export interface Member {
  readonly key: MemberKey
  readonly rank: Rank
  /** The counted additions of it. Each grants its role to what descends from it, so a second one can only give more. */
  readonly grants: readonly Grant[]
  /** The counted removals of it; with any, it is a member no more. */
  readonly cuts: readonly { readonly operation: OperationId; readonly how: 'retire' | 'revoke' }[]
}

interface Grant {
  readonly operation: OperationId
  readonly role: Role
  readonly domains: readonly Hostname[]
}

/**
 * Seniority, most senior first: operators before deployers and nodes, who admit and remove nobody, so that any operator
 * can promote or remove these; then depth of the chain of additions, stamp, id of the addition. `compareMembers`
 * settles the rest.
 */
type Rank = readonly [group: number, depth: number, stamp: Stamp, id: OperationId]

export type Members = ReadonlyMap<MemberKey, Member>
type IsAncestor = (a: OperationId, b: OperationId) => boolean

/**
 * Who belongs to the cluster, as a pure function of the operations that add and remove (DESIGN section 3). Members are
 * taken in rank order, so what a junior signs, however back-dated, changes nothing of what a senior did.
 */
export function foldMembership(operations: readonly MembershipOperation[], isAncestor: IsAncestor): Members {
  const byAuthor = Map.groupBy([...operations].sort(compareOperations), (operation) => operation.author)
  const members = new Map<MemberKey, MutableMember>()
  const cuts = new Map<MemberKey, { operation: OperationId; how: 'retire' | 'revoke' }[]>()
  const done = new Set<MemberKey>()
  // Whoever was found to be more senior than at first stands in it twice, and is done the second time.
  const waiting = new Heap<Pick<Member, 'key' | 'rank'>>(compareMembers)
  for (const creation of operations) if (isCreation(creation)) admit(members, done, waiting, creation, undefined)
  for (let first = waiting.pop(); first !== undefined; first = waiting.pop()) {
    const next = members.get(first.key) as MutableMember
    if (done.has(next.key)) continue
    next.cuts = cuts.get(next.key) ?? []
    done.add(next.key)
    for (const operation of byAuthor.get(next.key) ?? []) {
      if (judge(operation, operation.demands, next, isAncestor) !== undefined) continue
      if (!isCreation(operation)) admit(members, done, waiting, operation, next)
      for (const { key, how } of operation.removals) {
        // Seniors were taken before; whoever is still to come ranks below the author.
        if (done.has(key)) continue
        const list = cuts.get(key) ?? []
        list.push({ operation: operation.id, how })
        cuts.set(key, list)
      }
    }
  }
  return members
}

/** Where an operation stands among those that admit and remove members. */
export interface Place {
  /** True for the operation itself. */
  is(id: OperationId): boolean
  /** True when it descends from that one. */
  follows(id: OperationId): boolean
  /** True when that one descends from it. */
  precedes(id: OperationId): boolean
}

/** Why an operation does not count, in words; undefined when it counts. */
export function judge(
  { id }: { readonly id: OperationId },
  demands: Demands,
  member: Member | undefined,
  isAncestor: IsAncestor,
): string | undefined {
  const place: Place = {
    is: (other) => other === id,
    follows: (other) => isAncestor(other, id),
    precedes: (other) => isAncestor(id, other),
  }
  return judgeAt(place, demands, member)
}

/** As `judge`, of an operation whose id nobody has to spell out: a fold judges each of its operations when it is read. */
export function judgeAt(place: Place, demands: Demands, member: Member | undefined): string | undefined {
  if (member === undefined) return 'its author is not a member'
  const grants = member.grants.filter(({ operation }) => place.is(operation) || place.follows(operation))
  if (grants.length === 0) return 'its author was not a member yet'
  for (const cut of member.cuts) {
    if (cut.how === 'revoke' && !place.precedes(cut.operation))
      return `its author’s key was revoked by ${cut.operation}`
    if (cut.how === 'retire' && place.follows(cut.operation)) return `its author was removed by ${cut.operation}`
  }
  const faults = grants.map((grant) => exceeds(demands, grant, member.key))
  return faults.includes(undefined) ? undefined : faults.at(-1)
}

function exceeds(demands: Demands, grant: Grant, key: MemberKey): string | undefined {
  switch (grant.role) {
    case 'recovery':
    case 'operator':
      return undefined
    case 'deployer': {
      if (demands.operator || demands.duty || demands.updates.length > 0) return 'a deployer may only publish releases'
      const foreign = demands.deploys.find((domain) => !grant.domains.includes(domain))
      return foreign === undefined ? undefined : `its author may not publish to ${foreign}`
    }
    case 'node':
      if (demands.operator || demands.deploys.length > 0) return 'a node may not make such a change'
      return demands.updates.every((node) => node === key) ? undefined : 'a node may only update itself'
    default:
      return grant.role satisfies never
  }
}

export function compileDemands(changes: readonly Change[]): Demands {
  const deploys: Hostname[] = []
  const updates: MemberKey[] = []
  let operator = false
  let duty = false
  for (const change of changes) {
    if (change.kind.startsWith('release.')) deploys.push((change as { domain: Hostname }).domain)
    else if (change.kind === 'node.update') updates.push(change.key)
    else if (/^(certificate|challenge|seal)\./.test(change.kind)) duty = true
    else operator = true
  }
  return { operator, duty, deploys, updates }
}

/** Undefined for an operation that neither adds nor removes anybody. */
export function readMembership(
  operation: Pick<Operation, 'id' | 'author' | 'stamp' | 'changes'>,
  demands: Demands,
): MembershipOperation | undefined {
  const additions: Addition[] = []
  const removals: { key: MemberKey; how: 'retire' | 'revoke' }[] = []
  for (const change of operation.changes) {
    if (change.kind === 'cluster.create') {
      additions.push(
        { key: change.recovery, role: 'recovery', domains: [] },
        { key: change.operator.key, role: 'operator', domains: [] },
      )
    } else if (change.kind === 'operator.add')
      additions.push({ key: change.key, role: change.role, domains: change.domains ?? [] })
    else if (change.kind === 'node.join') additions.push({ key: change.key, role: 'node', domains: [] })
    else if (change.kind === 'operator.remove' || change.kind === 'node.remove')
      removals.push({ key: change.key, how: change.how })
  }
  if (additions.length === 0 && removals.length === 0) return undefined
  return { id: operation.id, author: operation.author, stamp: operation.stamp, additions, removals, demands }
}

/** Who may be judged in another way by `after` than by `before`: what these signed has to be judged again. */
export function changedStandings(before: Members, after: Members): ReadonlySet<MemberKey> {
  const everybody = new Set([...before.keys(), ...after.keys()])
  return new Set([...everybody].filter((key) => !isSameStanding(before.get(key), after.get(key))))
}

/** True when whatever either of them signed is judged alike. */
function isSameStanding(a: Member | undefined, b: Member | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  const standing = (member: Member) => [
    ...member.cuts.map((cut) => cut.operation + cut.how),
    ...member.grants.map((grant) => grant.operation),
  ]
  return standing(a).join() === standing(b).join()
}

/** Most senior first. Two that one operation admitted have the same rank, so their keys decide. */
export const compareMembers = (a: Pick<Member, 'key' | 'rank'>, b: Pick<Member, 'key' | 'rank'>): number =>
  compareRanks(a.rank, b.rank) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

interface MutableMember extends Member {
  rank: Rank
  grants: Grant[]
  cuts: Member['cuts']
}

/** The one operation that adds a recovery key creates the cluster. */
function isCreation(operation: MembershipOperation): boolean {
  return operation.additions.some((addition) => addition.role === 'recovery')
}

function admit(
  members: Map<MemberKey, MutableMember>,
  done: ReadonlySet<MemberKey>,
  waiting: Heap<Pick<Member, 'key' | 'rank'>>,
  operation: MembershipOperation,
  by: Member | undefined,
): void {
  for (const { key, role, domains } of operation.additions) {
    const depth = by === undefined ? (role === 'recovery' ? 0 : 1) : by.rank[1] + 1
    const rank: Rank = [role === 'node' || role === 'deployer' ? 1 : 0, depth, operation.stamp, operation.id]
    const known = members.get(key)
    const grant: Grant = { operation: operation.id, role, domains }
    if (known === undefined) members.set(key, { key, rank, grants: [grant], cuts: [] })
    else if (done.has(key)) continue
    else {
      known.grants.push(grant)
      if (compareRanks(rank, known.rank) >= 0) continue
      known.rank = rank
    }
    waiting.push({ key, rank })
  }
}

function compareRanks(a: Rank, b: Rank): number {
  return a[0] - b[0] || a[1] - b[1] || compareOperations({ stamp: a[2], id: a[3] }, { stamp: b[2], id: b[3] })
}
