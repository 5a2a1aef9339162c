import {
  type DomainView,
  findDomain,
  type Hostname,
  hostOwner,
  listDomains,
  MakiError,
  parseHostname,
  type State,
} from '../core/index.ts'
import { findNearest } from './config/index.ts'

/** The domain that a person named. Throws MAKI_NOT_FOUND with the nearest one, or the domain that has it as an alias. */
export function requireDomain(state: State, typed: string): DomainView {
  const apex = parseHostname(typed)
  const domain = findDomain(state, apex)
  if (domain !== undefined) return domain
  throw new MakiError('MAKI_NOT_FOUND', `there is no domain ${apex}`, { hint: suggestDomain(state, apex) })
}

function suggestDomain(state: State, apex: Hostname): string {
  const known = listDomains(state).map((domain) => String(domain.apex))
  const owner = hostOwner(state, apex)
  if (owner !== undefined && known.includes(owner)) return `${owner} has it as an alias.`
  const parent = known.find((name) => apex.endsWith(`.${name}`))
  if (parent !== undefined)
    return `${parent} holds that name: its records are written as ${apex.slice(0, -parent.length - 1)}`
  const nearest = findNearest(apex, known)
  if (nearest !== undefined) return nearest
  return known.length === 0 ? 'There is none yet: maki sync adds those of a project.' : 'maki domain list shows them.'
}
