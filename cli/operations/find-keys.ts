import {
  type FoldView,
  findKeyParts,
  findMember,
  type Hostname,
  type Key,
  keys,
  MakiError,
  type MemberKey,
  type NodeName,
  parseHostname,
  scopeOf,
} from '../../core/index.ts'

/** What finding keys asks of a fold. */
export type KeySource = Pick<FoldView, 'state' | 'members' | 'keysIn'>

const KINDS: ReadonlySet<string> = new Set([
  'cluster',
  'member',
  'node',
  'node-name',
  'domain',
  'seal',
  'certificate',
  'account',
  'order',
  'revocation',
  'challenge',
  'host',
  'peer',
])

/**
 * The keys that a person means, removed ones included, sorted: a key of the state or the beginning of one at a slash; a
 * domain, with all that is in it; a name in a domain, with or without a type of record; the name of a node, a member or an
 * external peer. Throws MAKI_NOT_FOUND where nothing was ever written there; `isPast` says that the source is an earlier
 * state.
 */
export function findKeys(source: KeySource, text: string, type?: string, isPast = false): readonly Key[] {
  const kind = text.split('/')[0] as string
  const found = KINDS.has(kind) && type === undefined ? listUnder(source, text) : findNamed(source, text, type)
  if (found.length > 0) return [...new Set(found)].sort()
  const what = type === undefined ? JSON.stringify(text) : `${JSON.stringify(text)} with a record ${type}`
  throw new MakiError('MAKI_NOT_FOUND', `nothing was ever written at ${what}${isPast ? ' before that moment' : ''}`, {
    hint: 'maki state shows all keys; a domain, a host name or the name of a node or a peer will do too.',
  })
}

/** The key itself, and what lies below it. */
function listUnder(source: KeySource, prefix: string): Key[] {
  const trimmed = prefix.replace(/\/+$/, '')
  if (!trimmed.includes('/') && trimmed !== keys.cluster())
    return source.state.ids(trimmed).flatMap((id) => [...source.keysIn(`${trimmed}/${id}`)])
  return [...source.keysIn(scopeOf(trimmed))].filter((key) => key === trimmed || key.startsWith(`${trimmed}/`))
}

function findNamed(source: KeySource, text: string, type: string | undefined): Key[] {
  const host = findHostname(text)
  if (host !== undefined) {
    const whole = type === undefined ? [...source.keysIn(keys.domain(host))] : []
    return whole.length > 0
      ? [...whole, ...source.keysIn(keys.host(host))]
      : listNamed(source, text.toLowerCase(), type)
  }
  // Names like *.example.com and _sip._tcp.example.com are none of a host.
  if (text.includes('.')) return listNamed(source, text.toLowerCase(), type)
  if (type !== undefined) return []
  return listWho(source, text.toLowerCase())
}

/** Records and aliases of a name, in the domains that it lies in; and who has it as a host. */
function listNamed(source: KeySource, typed: string, type: string | undefined): Key[] {
  const name = typed.replace(/\.$/, '')
  const labels = name.split('.')
  const found: Key[] = type === undefined ? [...source.keysIn(keys.host(name as Hostname))] : []
  const claimed = source.state.get(keys.host(name as Hostname))?.value as { domain: Hostname } | undefined
  const zones = labels.slice(0, -1).map((_, i) => labels.slice(i).join('.'))
  for (const zone of new Set([...zones, ...(claimed === undefined ? [] : [claimed.domain])])) {
    const owner = zone === name ? '@' : name.slice(0, -zone.length - 1)
    for (const key of source.keysIn(keys.domain(zone as Hostname))) {
      const parts = findKeyParts(key)
      if (parts?.kind === 'alias' && type === undefined && parts.host === name) found.push(key)
      const isAsked = type === undefined || (parts?.kind === 'record' && parts.type === type.toUpperCase())
      if (parts?.kind === 'record' && zones.includes(zone) && parts.name === owner && isAsked) found.push(key)
    }
  }
  return found
}

/** What is written of members, nodes and external peers of a name. */
function listWho(source: KeySource, typed: string): Key[] {
  const { state, members } = source
  const named = state.get(keys.nodeName(typed as NodeName))?.value as { node: MemberKey } | undefined
  const found = new Set<MemberKey>(named === undefined ? [] : [named.node])
  for (const key of members.keys()) {
    const isKey = typed.length >= 4 && key.startsWith(typed)
    if (isKey || findMember(state, key)?.name.toLowerCase() === typed) found.add(key)
  }
  return [
    ...[...found].flatMap((key) => [
      keys.member(key),
      ...source.keysIn(keys.node(key)),
      ...(named?.node === key ? [keys.nodeName(typed as NodeName)] : []),
    ]),
    ...source.keysIn(keys.peer(typed as NodeName)),
  ]
}

function findHostname(text: string): Hostname | undefined {
  try {
    return parseHostname(text)
  } catch {
    return undefined
  }
}
