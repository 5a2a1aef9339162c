import * as v from 'valibot'
import type { AcmeResponse } from './acme-transport.ts'
import { AuthorityError } from './authority-error.ts'

const PREFIX = 'urn:ietf:params:acme:error:'
const MAX_DETAIL = 600
const MAX_RETRY_MS = 7 * 24 * 3_600_000

const identifier = v.fallback(v.optional(v.object({ value: v.string() })), undefined)
const problemSchema = v.object({
  type: v.fallback(v.optional(v.string()), undefined),
  detail: v.fallback(v.optional(v.string()), undefined),
  identifier,
  subproblems: v.fallback(
    v.optional(v.array(v.object({ type: v.optional(v.string()), detail: v.optional(v.string()), identifier }))),
    undefined,
  ),
})

/** What an authority says is wrong: the `error` of a challenge or an order (RFC 8555 section 6.7), with its first subproblem. */
export function readProblem(
  data: unknown,
  context: { readonly status?: number; readonly retryAfterMs?: number | undefined; readonly doing: string },
): AuthorityError {
  const said = v.safeParse(problemSchema, data)
  const { type, detail, identifier: whole, subproblems } = said.success ? said.output : {}
  const [first] = subproblems ?? []
  const name = kindOf(first?.type ?? type) ?? kindOfStatus(context.status)
  const words = printable([detail, first?.detail].filter((part) => part !== undefined && part !== '').join(': '))
  const told = words === '' ? `status ${context.status ?? 'unknown'}` : words
  const subject = printable((first?.identifier ?? whole)?.value ?? '')
  return new AuthorityError(name, `the certificate authority refuses ${context.doing}: ${told}`, {
    hint: HINTS[name] ?? 'It is tried again by itself, later each time.',
    retryAfterMs: context.retryAfterMs,
    ...(subject === '' ? {} : { identifier: subject }),
  })
}

/** Delay in seconds or a date (RFC 9110 section 10.2.3); bounded. Undefined where it says nothing that can be read. */
export function readRetryAfter({ headers }: Pick<AcmeResponse, 'headers'>, nowMs: number): number | undefined {
  const text = headers['retry-after']?.trim()
  if (text === undefined || text === '') return undefined
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), MAX_RETRY_MS) : undefined
}

const kindOf = (type: string | undefined): string | undefined =>
  type?.startsWith(PREFIX) && /^[A-Za-z]{1,60}$/.test(type.slice(PREFIX.length)) ? type.slice(PREFIX.length) : undefined

function kindOfStatus(status: number | undefined): string {
  if (status === 429) return 'rateLimited'
  if (status === undefined || status >= 500) return 'serverInternal'
  // No authority says so little: a proxy before it, or a page that stands in its place.
  return 'nonsense'
}

/** Strangers' words on one line, without what a terminal would obey. */
function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return line.length > MAX_DETAIL ? `${line.slice(0, MAX_DETAIL)}…` : line
}

const HINTS: Readonly<Record<string, string>> = {
  caa: 'A CAA record forbids it: maki record list shows those of the domain.',
  connection: 'The authority could not connect to the address of the name. See whether port 80 is open to everybody.',
  dns: 'The authority could not resolve the name: maki dns nameserver-setup --check looks at the delegation.',
  unauthorized:
    'What the authority found under the name is not ours: maki dns nameserver-setup --check looks where it leads.',
  rateLimited:
    'The authority has had enough for now. It is tried again when it says, and at another one if there is one.',
  externalAccountRequired:
    'This authority takes no account without credentials of yours: [acme] eab_key_id, and the key in keys/acme-eab.',
  rejectedIdentifier: 'The authority gives no certificates for this name.',
  userActionRequired: 'The authority wants its terms to be read and agreed to again.',
}
