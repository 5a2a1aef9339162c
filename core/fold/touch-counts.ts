import { type Effects, type Scope, scopeKind, scopeOf } from '../state/index.ts'

const SHOWN_AROUND: ReadonlySet<string> = new Set(['host', 'challenge'])

/** The scopes whose count of touches an operation raises: those it touches, what it claims hosts in, and their kinds. */
export function touchedScopes(effects: Effects): ReadonlySet<Scope> {
  const scopes = new Set<Scope>(effects.removedScopes)
  for (const key of effects.keys.keys()) {
    const scope = scopeOf(key)
    scopes.add(scope)
    // Who gets a host name changes every zone that it lies in, also one that loses it; so does what is shown for it.
    if (SHOWN_AROUND.has(scopeKind(scope))) for (const zone of zonesAround(scope)) scopes.add(zone)
  }
  for (const scope of [...scopes]) scopes.add(scopeKind(scope))
  return scopes
}

/** `host/www.example.com` and `challenge/www.example.com` lie in the domains www.example.com and example.com. */
function zonesAround(host: Scope): Scope[] {
  const labels = host.slice(host.indexOf('/') + 1).split('.')
  return labels.slice(0, -1).map((_, i) => `domain/${labels.slice(i).join('.')}`)
}
