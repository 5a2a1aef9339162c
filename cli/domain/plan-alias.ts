import {
  type Change,
  findDomain,
  type Hostname,
  hostOwner,
  keys,
  MakiError,
  parseHostname,
  type State,
} from '../../core/index.ts'
import { plainLine } from '../output/text.ts'
import { requireDomain } from '../require-domain.ts'

/** What is to be written for an alias. */
export interface AliasPlan {
  readonly domain: Hostname
  readonly alias: Hostname
  /** Undefined where nothing has to be written. */
  readonly change: Change | undefined
  /** What a person should know of it. */
  readonly notes: readonly string[]
}

interface AliasRequest {
  readonly domain: string
  readonly alias: string
}

/** Throws MAKI_NOT_FOUND where there is no such domain, MAKI_CONFLICT where the host is another's. */
export function planAliasAdd(state: State, request: AliasRequest): AliasPlan {
  const { apex, aliases } = requireDomain(state, request.domain)
  const alias = parseHostname(request.alias)
  if (alias === apex)
    throw new MakiError('MAKI_USAGE', `${apex} is the domain itself, and answers without an alias`, {
      hint: `An alias is another name of the same site, like www.${apex}`,
    })
  if (aliases.includes(alias)) return { domain: apex, alias, change: undefined, notes: [] }
  const owner = hostOwner(state, alias)
  if (owner !== undefined && owner !== apex && findDomain(state, owner) !== undefined) {
    throw new MakiError('MAKI_CONFLICT', `${alias} belongs to ${owner}`, {
      hint:
        owner === alias
          ? `It is a domain of its own: maki domain remove ${owner}`
          : `maki alias remove ${owner} ${alias}`,
    })
  }
  const notes = findZone(state, alias) === undefined ? [tellForeign(alias, apex)] : []
  return { domain: apex, alias, change: { kind: 'alias.set', domain: apex, host: alias }, notes }
}

/** Throws MAKI_NOT_FOUND where there is no such domain. */
export function planAliasRemove(state: State, request: AliasRequest): AliasPlan {
  const { apex, aliases } = requireDomain(state, request.domain)
  const alias = parseHostname(request.alias)
  const entry = state.get(keys.alias(apex, alias))
  if (entry === undefined) {
    const owner = hostOwner(state, alias)
    const notes =
      owner === undefined || owner === apex
        ? []
        : [`${alias} is an alias of ${owner}: maki alias remove ${owner} ${alias}`]
    return { domain: apex, alias, change: undefined, notes }
  }
  const notes = entry.via === undefined ? [] : [tellProject(`${alias} is`, entry.via)]
  if (!aliases.includes(alias)) notes.push(`It answered for another domain already, which claimed it later.`)
  return { domain: apex, alias, change: { kind: 'alias.remove', domain: apex, host: alias }, notes }
}

/** That the file of a project has it still, and what that comes to. */
export const tellProject = (what: string, project: string): string =>
  `${what} in the makiatto.toml of the project ${plainLine(project)} still: take it out there too. Its maki sync leaves it away and says so, until --take-over.`

/** The domain of ours in whose zone a name lies. */
export function findZone(state: State, host: Hostname): Hostname | undefined {
  const labels = host.split('.')
  return labels
    .map((_, i) => labels.slice(i).join('.') as Hostname)
    .find((suffix) => findDomain(state, suffix) !== undefined)
}

const tellForeign = (alias: Hostname, apex: Hostname): string =>
  `${alias} lies in no zone of this cluster: where its DNS is, point it at the addresses of the nodes, or by CNAME at ${apex}.`
