import { isWithin } from '../../core/index.ts'
import type { Rdata, Rrset } from '../rdata/index.ts'
import { type NameKey, TYPE_CODES } from '../wire/index.ts'
import type { FixedSet, Zone } from '../zone/index.ts'
import { findOwn, makeSet, type Resolving } from './resolve.ts'

/** Whoever needs more asks for it: additional records never cost more look-ups than this, however many hosts a set names. */
const MAX_TARGETS = 32

/** Of servers in a referral, likewise; a set of more does not fit into a datagram, so that TC is set all the same. */
const MAX_SERVERS = 128

const NONE: readonly never[] = []

/** Types whose data name hosts whose addresses are asked for next: those of `targetOf`. */
const NAMING_TYPES: ReadonlySet<number> = new Set(
  (['NS', 'MX', 'SRV', 'SVCB', 'HTTPS'] as const).map((type) => TYPE_CODES[type]),
)

const ADDRESS_TYPES = [TYPE_CODES.A, TYPE_CODES.AAAA] as const

/** Addresses of the hosts that the last set of the answer names, where they are ours to tell (RFC 1034 section 3.7). */
export function listAdditionals(resolving: Resolving, answers: readonly Rrset[]): readonly Rrset[] {
  const last = answers.at(-1)
  if (last === undefined || !NAMING_TYPES.has(last.type)) return NONE
  return listTargets(last, MAX_TARGETS).flatMap((target) =>
    ADDRESS_TYPES.flatMap((type) => findOwn(resolving, target, type) ?? []),
  )
}

/**
 * The addresses that go with a referral, as far as our zones have them, below cuts too. Of servers at or below the cut
 * nobody would find any without them (RFC 9471 section 3.1).
 */
export function listGlue(
  resolving: Resolving,
  zone: Zone,
  cut: FixedSet,
): { readonly glue: readonly Rrset[]; readonly additionals: readonly Rrset[] } {
  const glue: Rrset[] = []
  const additionals: Rrset[] = []
  for (const target of listTargets(cut.rrset, MAX_SERVERS)) {
    for (const type of ADDRESS_TYPES) {
      const set = findOwn(resolving, target, type) ?? findBelowCut(resolving, zone, target, type)
      if (set !== undefined) (isWithin(target, cut.name) ? glue : additionals).push(set)
    }
  }
  return { glue, additionals }
}

function findBelowCut(resolving: Resolving, zone: Zone, target: NameKey, type: number): Rrset | undefined {
  const set = isWithin(target, zone.apex) ? zone.findSet(target, type) : undefined
  const made = set && makeSet(resolving, set, target)
  return made?.kind === 'records' ? made.rrset : undefined
}

/** The first targets, each once, in the order of the records. */
function listTargets({ name, rdata }: Rrset, most: number): readonly NameKey[] {
  const targets = new Set<NameKey>()
  for (const data of rdata) {
    const target = targetOf(data, name)
    if (target !== undefined) targets.add(target)
    if (targets.size >= most) break
  }
  return [...targets]
}

function targetOf(data: Rdata, owner: NameKey): NameKey | undefined {
  switch (data.type) {
    case 'NS':
      return data.server
    case 'MX':
      return data.exchange
    case 'SRV':
      return data.target
    case 'SVCB':
    case 'HTTPS':
      // RFC 9460 section 2.5.2: in service mode the root stands for the owner itself.
      return data.target === '' && data.priority > 0 ? owner : data.target
    default:
      return undefined
  }
}
