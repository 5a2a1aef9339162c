import { idBytes, type MemberKey, type OperationId } from '../ids.ts'
import type { Members } from '../membership/index.ts'
import type { SealEpochKey } from '../operation/index.ts'
import { compareOperations, type Stamp } from '../stamp.ts'
import {
  type AccountValue,
  announcedSchema,
  type CertificateValue,
  type Entry,
  type Key,
  keys,
  listNodes,
  listRevocations,
  type ReleaseValue,
  type Sealed,
  type State,
} from '../state/index.ts'

/**
 * Secrets are sealed to an *epoch*: a key pair whose private half only nodes have, each under a *grant*. Who leaves the
 * cluster keeps what it knew, so nothing new is sealed to an epoch that it could open (DESIGN section 3).
 */
export interface SealEpoch {
  readonly key: SealEpochKey
  /** Every operation that announced it, first to last. */
  readonly operations: readonly OperationId[]
  /** Everybody who may know the private half: who announced it, who gave it and who was given it. */
  readonly recipients: ReadonlySet<MemberKey>
}

/** A sealed value in the state, and what it is. */
export interface SealedPlace {
  readonly key: Key
  readonly purpose: string
  readonly what: SealedThing
  readonly sealed: Sealed
}

/** What a sealed value is, by names that people know. */
export type SealedThing =
  | { readonly kind: 'certificate'; readonly name: string }
  | { readonly kind: 'account'; readonly directory: string }
  /** The key of one that is to be revoked yet. */
  | { readonly kind: 'revocation'; readonly name: string; readonly id: OperationId }
  | { readonly kind: 'env'; readonly domain: string; readonly component: string; readonly name: string }

/** The X25519 public key that names an epoch, 32 bytes. */
export const epochBytes = (epoch: SealEpochKey): Uint8Array => idBytes(epoch as string as MemberKey)

/** The schema in which seals are said: while a node reads only older ones, nobody can seal. */
const SEAL_SCHEMA = 2

/** False while some node's program could not read what is sealed. */
export const canSeal = (state: State): boolean => announcedSchema(state) >= SEAL_SCHEMA

/**
 * Points of small order on Curve25519 and its twist, and their other spellings (RFC 7748 section 6.1; the list of libsodium's
 * `has_small_order`): whatever is sealed to one of them fails. In hexadecimal, the unused top bit cleared.
 */
const WEAK_KEYS: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

/** True for a key that no private key belongs to: an epoch of that name serves nobody. */
export function isWeakEpoch(epoch: SealEpochKey): boolean {
  const bytes = Buffer.from(epochBytes(epoch))
  bytes[31] = (bytes[31] as number) & 0x7f
  return WEAK_KEYS.has(bytes.toString('hex'))
}

/**
 * The one that was announced last stands first, by its first announcement: to announce an epoch again makes it no newer. A grant of
 * an epoch that nobody announced is none.
 *
 * Who knows the private half got it through a chain of grants from who began it. When a grant in that chain does not count any
 * more (its giver was revoked), the first such giver is itself named by one that counts, or began the epoch. Who else announced
 * that epoch is a recipient too and takes nobody's place among them.
 */
export function listSealEpochs(state: State): readonly SealEpoch[] {
  const epochs: { readonly epoch: SealEpoch; readonly first: Announcement }[] = []
  for (const id of state.ids('seal')) {
    const key = id as SealEpochKey
    const { announced, grants } = readEpoch(state, key)
    const [first] = announced
    if (first === undefined || isWeakEpoch(key)) continue
    const recipients = new Set(announced.map(({ author }) => author))
    for (const grant of grants) recipients.add(grant.node).add(grant.giver)
    epochs.push({ epoch: { key, operations: announced.map(({ id }) => id), recipients }, first })
  }
  return epochs.sort((a, b) => compareOperations(b.first, a.first)).map(({ epoch }) => epoch)
}

interface Announcement {
  readonly id: OperationId
  readonly author: MemberKey
  readonly stamp: Stamp
}

/** Announcements first to last, and grants, in one walk: everybody asks this of every epoch often. */
function readEpoch(state: State, epoch: SealEpochKey): { announced: Announcement[]; grants: SealGrant[] } {
  const announced: Announcement[] = []
  const grants: SealGrant[] = []
  const at = keys.seal(epoch).length + 1
  for (const { key, value, operation, author, stamp } of state.scope(keys.seal(epoch))) {
    if (key.startsWith('grant/', at)) {
      const [node, giver] = key.slice(at + 'grant/'.length).split('/') as [MemberKey, MemberKey]
      grants.push({ node, giver, box: value as string })
    } else announced.push({ id: operation, author, stamp })
  }
  return { announced: announced.length > 1 ? announced.sort(compareOperations) : announced, grants }
}

export interface SealGrant {
  readonly node: MemberKey
  readonly giver: MemberKey
  readonly box: string
}

/** Who was given the private half of an epoch, by whom. */
export const listGrants = (state: State, epoch: SealEpochKey): readonly SealGrant[] => readEpoch(state, epoch).grants

/** What has to be known of a cluster to say who may open what; a replica or a fold. */
export interface SealView {
  readonly state: State
  readonly members: Members
  isAncestor(a: OperationId, b: OperationId): boolean
}

/**
 * What new values are sealed to: the greatest epoch that nobody but nodes of the cluster can open, now or later. Undefined when
 * there is none: a node has to begin one.
 *
 * That no removed node was given it is not enough: elsewhere, one that has not heard of the removal may be giving it at this
 * moment. So every announcement of the epoch has to descend from every removal of a node: then whoever knows the epoch knows of the
 * removal, and nobody else's epoch is made a new one by announcing it again.
 */
export const findSealEpoch = (view: SealView): SealEpoch | undefined => findSafe(view, listSealEpochs(view.state))

function findSafe(view: SealView, epochs: readonly SealEpoch[]): SealEpoch | undefined {
  const nodes = liveNodes(view)
  const removals = listRemovals(view.members)
  return epochs.find(
    (epoch) =>
      [...epoch.recipients].every((key) => nodes.has(key)) &&
      removals.every((cuts) =>
        epoch.operations.every((operation) => cuts.some((cut) => view.isAncestor(cut, operation))),
      ),
  )
}

/** The epochs that a node has to be able to open: what new values are sealed to, and what present values are. */
export function listNeededEpochs(view: SealView): readonly SealEpoch[] {
  const epochs = listSealEpochs(view.state)
  const present = findSafe(view, epochs)
  const used = new Set(listSealed(view.state).map(({ sealed }) => sealed.epoch))
  return epochs.filter(({ key }) => key === present?.key || used.has(key))
}

/** Nodes of the cluster that were not given an epoch yet. Sorted. */
export function listUngranted(view: SealView, epoch: SealEpochKey): readonly MemberKey[] {
  const granted = new Set(listGrants(view.state, epoch).map(({ node }) => node))
  return [...liveNodes(view)].filter((key) => !granted.has(key)).sort()
}

/** Every value of the state that is sealed, by key and purpose. */
export function listSealed(state: State): readonly SealedPlace[] {
  const places: SealedPlace[] = []
  const add = (key: Key, what: SealedThing, sealed: Sealed) =>
    places.push({ key, purpose: purposeOf(what), what, sealed })
  for (const entry of listKind<CertificateValue>(state, 'certificate'))
    add(entry.key, { kind: 'certificate', name: entry.value.name }, entry.value.key)
  for (const entry of listKind<AccountValue>(state, 'account'))
    add(entry.key, { kind: 'account', directory: entry.value.directory }, entry.value.account)
  // One that is over needs its key no more.
  for (const { key, value } of listRevocations(state))
    if (value.phase === 'due') add(key, { kind: 'revocation', name: value.name, id: value.id }, value.key)
  for (const domain of state.ids('domain')) {
    const key = `domain/${domain}/release`
    const release = state.get(key)?.value as ReleaseValue | undefined
    for (const { path, env } of [...(release?.functions ?? []), ...(release?.transforms ?? [])])
      for (const [name, sealed] of Object.entries(env ?? {}))
        add(key, { kind: 'env', domain, component: path, name }, sealed)
  }
  return places
}

/** Epochs that nobody outside the cluster can open. */
export function listSafeEpochs(view: SealView): ReadonlySet<SealEpochKey> {
  const nodes = liveNodes(view)
  return new Set(
    listSealEpochs(view.state)
      .filter(({ recipients }) => [...recipients].every((key) => nodes.has(key)))
      .map(({ key }) => key),
  )
}

/** Sealed values that somebody outside the cluster may be able to open: to be replaced at their source. */
export function listExposed(view: SealView): readonly SealedPlace[] {
  const safe = listSafeEpochs(view)
  return listSealed(view.state).filter(({ sealed }) => !safe.has(sealed.epoch))
}

/**
 * What a value is sealed for. It is bound into the box, so that a box which somebody copies to another place (a deployer
 * into a function of its own) opens nowhere but in its first.
 */
export const sealPurpose = {
  grant: (epoch: SealEpochKey, node: MemberKey): string => `grant ${epoch} ${node}`,
  certificate: (name: string): string => `certificate ${name}`,
  account: (directory: string): string => `account ${directory}`,
  env: (domain: string, path: string, name: string): string => `env ${domain} ${name} ${path}`,
  tickets: (window: number): string => `tickets ${window}`,
}

function purposeOf(what: SealedThing): string {
  switch (what.kind) {
    case 'certificate':
      return sealPurpose.certificate(what.name)
    // It stays sealed for what it was: only nodes could seal it anew.
    case 'revocation':
      return sealPurpose.certificate(what.name)
    case 'account':
      return sealPurpose.account(what.directory)
    case 'env':
      return sealPurpose.env(what.domain, what.component, what.name)
    default:
      return what satisfies never
  }
}

const listKind = <Value>(state: State, kind: string): readonly Entry<Value>[] =>
  state.ids(kind).flatMap((id) => state.scope(`${kind}/${id}`) as readonly Entry<Value>[])

/** Keys of the nodes that belong to the cluster. A removed key never returns, whatever the state says of it. */
export function liveNodes({ state, members }: Pick<SealView, 'state' | 'members'>): ReadonlySet<MemberKey> {
  const isMember = (key: MemberKey) => members.get(key)?.cuts.length === 0
  return new Set(
    listNodes(state)
      .map(({ key }) => key)
      .filter(isMember),
  )
}

/** For each key that was a node once and is no member any more, the operations that removed it. */
function listRemovals(members: Members): readonly (readonly OperationId[])[] {
  return [...members.values()]
    .filter(({ grants, cuts }) => cuts.length > 0 && grants.some(({ role }) => role === 'node'))
    .map(({ cuts }) => cuts.map(({ operation }) => operation))
}
