import { type Effects, type Scope, scopeKind, scopeOf } from '../state/index.ts'

/** The scopes whose count of touches an operation raises: those it touches, what it claims hosts in, and their kinds. */
export function touchedScopes(effects: Effects): ReadonlySet<Scope> {
  const scopes = new Set<Scope>(effects.removedScopes)
  for (const key of effects.keys.keys()) {
    const scope = scopeOf(key)
    scopes.add(scope)
    // Who gets a host name changes every zone that it lies in, also one that loses it.
    if (scopeKind(scope) === 'host') for (const zone of zonesAround(scope)) scopes.add(zone)
  }
  for (const scope of [...scopes]) scopes.add(scopeKind(scope))
  return scopes
}

/** `host/www.example.com` lies in the domains www.example.com and example.com. */
function zonesAround(host: Scope): Scope[] {
  const labels = host.slice('host/'.length).split('.')
  return labels.slice(0, -1).map((_, i) => `domain/${labels.slice(i).join('.')}`)
}
