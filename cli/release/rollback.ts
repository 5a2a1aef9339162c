import {
  type Change,
  findDomain,
  type Hostname,
  hostOwner,
  MakiError,
  type OperationId,
  type ReleaseValue,
  type State,
  shortId,
} from '../../core/index.ts'
import { describeChoice, isSameContent, type PublishedRelease, requireRelease } from './published.ts'

/** A domain's releases, newest first, as a rollback chooses among them. */
export interface RollbackChoice {
  readonly domain: Hostname
  readonly releases: readonly PublishedRelease[]
  /** The release that stands. */
  readonly served: OperationId | undefined
  /** Taken back for good: never chosen. */
  readonly purged: ReadonlySet<OperationId>
}

/**
 * The release to go back to: the one that was typed, or the one before what is served. A release that is itself a
 * rollback counts as the one that it restored, so that going back twice goes back two. Throws MAKI_NOT_FOUND, and
 * MAKI_OPERATION_REFUSED, with what is left, for one that was purged.
 */
export function chooseRollback(choice: RollbackChoice, typed?: string): PublishedRelease {
  return typed === undefined ? chooseEarlier(choice) : chooseTyped(choice, typed)
}

function chooseTyped({ releases, purged }: RollbackChoice, typed: string): PublishedRelease {
  const named = requireRelease(releases, typed)
  // A rollback outlives the purge of what it restored.
  const standing = [findOrigin(releases, named), named].find(({ operation }) => !purged.has(operation.id))
  if (standing !== undefined) return standing
  const left = releases.filter(({ operation }) => !purged.has(operation.id))
  throw new MakiError(
    'MAKI_OPERATION_REFUSED',
    `release ${shortId(named.operation.id)} was purged: it is never served again`,
    { hint: describeChoice(left) },
  )
}

function chooseEarlier({ domain, releases, served, purged }: RollbackChoice): PublishedRelease {
  const standing = releases.find(({ operation }) => operation.id === served)
  if (standing === undefined) {
    throw new MakiError('MAKI_NOT_FOUND', `${domain} serves no release, so there is none before it`, {
      hint: 'maki sync publishes one.',
    })
  }
  const present = findOrigin(releases, standing)
  const earlier = releases
    .slice(releases.indexOf(present) + 1)
    .filter(({ change }) => change.rollbackOf === undefined)
    .find(({ change, operation }) => !isSameContent(change, present.change) && !purged.has(operation.id))
  if (earlier !== undefined) return earlier
  throw new MakiError('MAKI_NOT_FOUND', `${domain} has no release before ${shortId(present.operation.id)}`, {
    hint: `maki release list ${domain}`,
  })
}

/** The release whose content this one has: itself, or what its chain of rollbacks leads to, as far as it is known. */
function findOrigin(releases: readonly PublishedRelease[], from: PublishedRelease): PublishedRelease {
  const byId = new Map(releases.map((release) => [release.operation.id, release]))
  let release = from
  // Anybody can write a chain that never ends.
  for (let steps = releases.length; steps > 0; steps--) {
    const { rollbackOf } = release.change
    const origin = rollbackOf === undefined ? undefined : byId.get(rollbackOf)
    if (origin === undefined) break
    release = origin
  }
  return release
}

/**
 * The changes that make a release stand again: a new one with its content, and the aliases that were live with it. A host
 * that another domain uses by now is not taken from it. Pure.
 */
export function planRestore(
  state: State,
  domain: Hostname,
  content: ReleaseValue,
  rollbackOf: OperationId,
): readonly Change[] {
  const present = findDomain(state, domain)?.aliases ?? []
  const aliases = content.aliases.filter((host) => !isTaken(state, domain, host))
  return [
    { kind: 'release.publish', domain, ...content, rollbackOf, aliases },
    ...aliases.filter((host) => !present.includes(host)).map((host) => ({ kind: 'alias.set' as const, domain, host })),
    ...present
      .filter((host) => !content.aliases.includes(host))
      .map((host) => ({ kind: 'alias.remove' as const, domain, host })),
  ]
}

function isTaken(state: State, domain: Hostname, host: Hostname): boolean {
  if (host !== domain && findDomain(state, host) !== undefined) return true
  const owner = hostOwner(state, host)
  if (owner === undefined || owner === domain) return false
  return findDomain(state, owner)?.aliases.includes(host) === true
}
