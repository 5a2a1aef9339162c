import { addVary, findBasicCredentials, type SitePath } from '../message/index.ts'
import type { Credential } from '../rules/index.ts'
import { resolvePath, type Site } from '../site/index.ts'
import { withLifetime } from './lifetime.ts'
import type { Learnt, Need } from './need.ts'
import type { HeaderFields, Plan } from './plan.ts'
import { refuse } from './refuse.ts'
import type { RuledRequest } from './ruled-request.ts'
import type { SiteRequest } from './site-request.ts'

/** What stands between a request and what it asks for. */
export type Gate =
  | { readonly isOpen: true; readonly isProtected: boolean }
  | { readonly isOpen: false; readonly answer: Plan | Need }

const OPEN: Gate = { isOpen: true, isProtected: false }
const PASSED: Gate = { isOpen: true, isProtected: true }

/**
 * Asks for a password where the release's rules have one for the path, or for any other way to write the path of the file
 * behind it: who protects `/plan` has protected `/plan.html` (RFC 7617). The answer is the same for a user that nobody knows
 * and a password that is wrong, and takes as long.
 */
export function requirePassword(
  request: SiteRequest,
  ruled: RuledRequest | undefined,
  site: Site,
  learnt: Learnt,
  base: HeaderFields,
): Gate {
  const accepted = ruled === undefined ? undefined : findAccepted(ruled, site)
  if (ruled === undefined || accepted === undefined) return OPEN
  const field = request.field('authorization')
  const given = field === undefined ? undefined : findBasicCredentials(field)
  const [first] = accepted
  if (given === undefined || first === undefined) return { isOpen: false, answer: challenge(request, ruled.host, base) }
  const known = accepted.find(({ user }) => user.normalize('NFC') === given.user)
  switch (learnt.password?.verdict) {
    case undefined: {
      const { hash } = known ?? first
      const { password } = given
      return { isOpen: false, answer: { kind: 'password', hash, password, client: request.client().address } }
    }
    case 'right':
      return known === undefined ? { isOpen: false, answer: challenge(request, ruled.host, base) } : PASSED
    case 'wrong':
      return { isOpen: false, answer: challenge(request, ruled.host, base) }
    case 'too-many-tries':
      return { isOpen: false, answer: refuse(request, 429, { ...base, 'retry-after': RETRY_AFTER_S }) }
    case 'busy':
      return { isOpen: false, answer: refuse(request, 503, { ...base, 'retry-after': RETRY_AFTER_S }) }
  }
}

const RETRY_AFTER_S = '10'

/** The answer to a visitor who gave the password: for this visitor, and no cache that others share. */
export function keepPrivate(plan: Plan): Plan {
  const lifetime = String(plan.headers['cache-control'] ?? 'no-cache')
    .split(/[ \t]*,[ \t]*/)
    .filter((directive) => !/^(?:public|private|s-maxage=.*)$/i.test(directive))
  const headers = { ...plan.headers, vary: addVary(plan.headers.vary, 'authorization') }
  const kept = lifetime.includes('no-store') ? 'no-store' : ['private', ...lifetime].join(', ')
  return withLifetime({ ...plan, headers }, kept)
}

function findAccepted({ rules, host, at }: RuledRequest, site: Site): readonly Credential[] | undefined {
  const asked = rules.authFor(host, at)
  if (asked !== undefined || site.release === undefined) return asked
  const found = resolvePath(site.release.manifest, at, site)
  if (found.kind !== 'file') return undefined
  for (const spelling of spellingsOf(found.file.path)) {
    const accepted = rules.authFor(host, spelling)
    if (accepted !== undefined) return accepted
  }
  return undefined
}

/** The paths at which a file is served; see `resolvePath`. */
function spellingsOf(path: string): readonly SitePath[] {
  const spellings = [{ path, slash: false }]
  if (path.endsWith('.html')) spellings.push({ path: path.slice(0, -'.html'.length), slash: false })
  if (path === 'index.html' || path.endsWith('/index.html'))
    spellings.push({ path: path.slice(0, -'index.html'.length).replace(/\/$/, ''), slash: true })
  return spellings
}

function challenge(request: SiteRequest, host: string, base: HeaderFields): Plan {
  return refuse(request, 401, {
    ...base,
    'www-authenticate': `Basic realm="${host}", charset="UTF-8"`,
    vary: addVary(base.vary, 'authorization'),
  })
}
