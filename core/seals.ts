import type { SealEpochKey } from './change-fields.ts'
import type { MemberKey, OperationId } from './ids.ts'
import { compareOperations, type Stamp } from './stamp.ts'
import {
  type AccountValue,
  type CertificateValue,
  type Entry,
  type Key,
  keys,
  type ReleaseValue,
  type Sealed,
  type State,
} from './state.ts'
import { listNodes } from './views.ts'

/**
 * Secrets are sealed to an *epoch*: a key pair whose private half only nodes have, each under a *grant*. Who leaves the
 * cluster keeps what it knew, so nothing new is sealed to an epoch that it could open (DESIGN section 3).
 */
export interface SealEpoch {
  readonly key: SealEpochKey
  readonly operation: OperationId
  readonly stamp: Stamp
  /** Everybody who may know the private half: who made it, who gave it and who was given it. */
  readonly recipients: ReadonlySet<MemberKey>
}

/** A sealed value in the state, and what it is. */
export interface SealedPlace {
  readonly key: Key
  readonly purpose: string
  readonly sealed: Sealed
}

/** Greatest first. A grant of an epoch that nobody began is none. */
export function listSealEpochs(state: State): readonly SealEpoch[] {
  const epochs: (SealEpoch & { id: OperationId })[] = []
  for (const id of state.ids('seal')) {
    const key = id as SealEpochKey
    const begun = state.get(keys.seal(key))
    if (begun === undefined) continue
    const recipients = new Set([begun.author])
    for (const grant of listGrants(state, key)) recipients.add(grant.node).add(grant.giver)
    epochs.push({ key, operation: begun.operation, id: begun.operation, stamp: begun.stamp, recipients })
  }
  return epochs.sort((a, b) => compareOperations(b, a))
}

export interface SealGrant {
  readonly node: MemberKey
  readonly giver: MemberKey
  readonly box: string
}

/** Who was given the private half of an epoch, by whom. */
export function listGrants(state: State, epoch: SealEpochKey): readonly SealGrant[] {
  const prefix = `${keys.seal(epoch)}/grant/`
  return state.scope(keys.seal(epoch)).flatMap(({ key, value }) => {
    if (!key.startsWith(prefix)) return []
    const [node, giver] = key.slice(prefix.length).split('/') as [MemberKey, MemberKey]
    return [{ node, giver, box: value as string }]
  })
}

/**
 * What new values are sealed to: the greatest epoch that nobody but nodes of the cluster can open. Undefined when there
 * is none: a node has to begin one. `isMember` is the fold's: a removed key never returns, whatever the state says.
 */
export function findSealEpoch(state: State, isMember: (key: MemberKey) => boolean): SealEpoch | undefined {
  const nodes = liveNodes(state, isMember)
  return listSealEpochs(state).find((epoch) => [...epoch.recipients].every((key) => nodes.has(key)))
}

/** Nodes of the cluster that cannot open an epoch yet. */
export function listUngranted(
  state: State,
  epoch: SealEpoch,
  isMember: (key: MemberKey) => boolean,
): readonly MemberKey[] {
  return [...liveNodes(state, isMember)].filter((key) => !epoch.recipients.has(key)).sort()
}

/** Every value of the state that is sealed, by key and purpose. */
export function listSealed(state: State): readonly SealedPlace[] {
  const places: SealedPlace[] = []
  const add = (key: Key, purpose: string, sealed: Sealed) => places.push({ key, purpose, sealed })
  for (const entry of listKind<CertificateValue>(state, 'certificate'))
    add(entry.key, sealPurpose.certificate(entry.value.name), entry.value.key)
  for (const entry of listKind<AccountValue>(state, 'account'))
    add(entry.key, sealPurpose.account(entry.value.directory), entry.value.account)
  for (const domain of state.ids('domain')) {
    const key = `domain/${domain}/release`
    const release = state.get(key)?.value as ReleaseValue | undefined
    for (const { path, env } of [...(release?.functions ?? []), ...(release?.transforms ?? [])])
      for (const [name, sealed] of Object.entries(env ?? {})) add(key, sealPurpose.env(domain, path, name), sealed)
  }
  return places
}

/** Sealed values that somebody outside the cluster may be able to open: to be replaced at their source. */
export function listExposed(state: State, isMember: (key: MemberKey) => boolean): readonly SealedPlace[] {
  const nodes = liveNodes(state, isMember)
  const safe = new Set(
    listSealEpochs(state)
      .filter(({ recipients }) => [...recipients].every((key) => nodes.has(key)))
      .map(({ key }) => key),
  )
  return listSealed(state).filter(({ sealed }) => !safe.has(sealed.epoch))
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
}

const listKind = <Value>(state: State, kind: string): readonly Entry<Value>[] =>
  state.ids(kind).flatMap((id) => state.scope(`${kind}/${id}`) as readonly Entry<Value>[])

function liveNodes(state: State, isMember: (key: MemberKey) => boolean): ReadonlySet<MemberKey> {
  return new Set(
    listNodes(state)
      .map(({ key }) => key)
      .filter(isMember),
  )
}
