import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { type CertificateName, type Hostname, parseHostname } from '../../core/index.ts'
import type { AcmeSession } from './acme-session.ts'
import { nonsense } from './acme-transport.ts'
import { AuthorityError } from './authority-error.ts'
import { checkIssued, makeKey, makeRequest } from './issued.ts'
import type { AcmeOrder, AskedChallenge, IssuedCertificate, OrderRequest } from './ports.ts'
import { readProblem } from './problem.ts'

const MINUTE_MS = 60_000
const VALIDATE_MS = 5 * MINUTE_MS
const FINISH_MS = 10 * MINUTE_MS
const MAX_NAMES = 1000

const address = v.pipe(v.string(), v.maxLength(2000))
const status = v.picklist(['pending', 'ready', 'processing', 'valid', 'invalid'])
const orderSchema = v.object({
  status,
  authorizations: v.pipe(v.array(address), v.maxLength(MAX_NAMES)),
  finalize: address,
  certificate: v.optional(address),
  error: v.optional(v.unknown()),
})
const challengeSchema = v.object({
  type: v.string(),
  url: v.optional(address),
  token: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,200}$/))),
  error: v.optional(v.unknown()),
})
const authorizationSchema = v.object({
  status: v.picklist(['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked']),
  identifier: v.object({ type: v.literal('dns'), value: v.string() }),
  wildcard: v.optional(v.boolean()),
  challenges: v.pipe(v.array(v.unknown()), v.maxLength(50)),
})
type OrderAnswer = v.InferOutput<typeof orderSchema>
type AuthorizationAnswer = v.InferOutput<typeof authorizationSchema>

interface Asked extends AskedChallenge {
  readonly url: string
  /** Of its authorization. */
  readonly at: string
}

export interface OrderContext {
  readonly session: AcmeSession
  readonly thumbprint: string
  readonly request: OrderRequest
  readonly now: () => number
  /** The session of another call, which is ended by that call's signal. */
  readonly openSession: (signal: AbortSignal) => Promise<AcmeSession>
}

/** Begins an order and reads what has to be shown for it. */
export async function beginOrder(context: OrderContext, replaces: string | undefined): Promise<AcmeOrder> {
  const { session } = context
  const { answer, url } = await askForOrder(context, replaces)
  if (answer.status === 'invalid') throw orderFailed(answer)
  if (new Set(answer.authorizations).size < answer.authorizations.length || answer.authorizations.length === 0)
    throw nonsense('its order asks for no name, or for one of them twice')
  const challenges: Asked[] = []
  for (const at of answer.authorizations) {
    const asked = readChallenge(context, at, (await session.post(at, null, 'to say what it asks for')).data)
    if (asked !== undefined) challenges.push(asked)
  }
  return new OpenOrder(context, url, challenges)
}

async function askForOrder(
  { session, request }: OrderContext,
  replaces: string | undefined,
): Promise<{ answer: OrderAnswer; url: string }> {
  const identifiers = request.names.map((value) => ({ type: 'dns', value }))
  const profile = request.profile === undefined ? {} : { profile: request.profile }
  const ask = (more: object) =>
    session.post(session.resource('newOrder'), { identifiers, ...profile, ...more }, 'the order', [200, 201])
  let response: Awaited<ReturnType<typeof ask>>
  try {
    response = await ask(replaces === undefined ? {} : { replaces })
  } catch (error) {
    // RFC 9773 section 5: one that was replaced already, or that it does not know. It only says why we come.
    const mayDrop = ['alreadyReplaced', 'malformed', 'conflict', 'unauthorized']
    if (replaces === undefined || !(error instanceof AuthorityError) || !mayDrop.includes(error.type)) throw error
    response = await ask({})
  }
  const url = response.headers.location
  if (url === undefined) throw nonsense('it does not say where its order is')
  return { answer: parse(orderSchema, response.data, 'its order'), url }
}

/** Undefined where nothing is left to be shown. */
function readChallenge({ request, thumbprint }: OrderContext, at: string, data: unknown): Asked | undefined {
  const authorization = parse(authorizationSchema, data, 'what it asks for')
  const host = readHost(authorization)
  const wildcard = authorization.wildcard === true
  const name = `${wildcard ? '*.' : ''}${host}` as CertificateName
  if (!request.names.includes(name)) throw nonsense(`it asks for ${name}, which is not in the order`)
  if (authorization.status === 'valid') return undefined
  if (authorization.status !== 'pending') throw authorizationFailed(authorization)
  const way = wildcard ? 'dns-01' : request.ways.get(host)
  const offered = readChallenges(authorization)
  const found = offered.find(({ type }) => type === way)
  if (way === undefined || found?.url === undefined || found.token === undefined) {
    const types = offered.map(({ type }) => type.slice(0, 40)).join(', ')
    throw new AuthorityError(
      'unsupported',
      `the certificate authority does not take ${way} for ${name}, but ${types}`,
      {
        identifier: name,
        hint: 'Another authority may: [acme] directory.',
      },
    )
  }
  const authorizationText = `${found.token}.${thumbprint}`
  const digest = createHash('sha256').update(authorizationText).digest('base64url')
  const { token, url } = found
  return { host, wildcard, type: way, token, authorization: authorizationText, digest, url, at }
}

function readHost({ identifier }: AuthorizationAnswer): Hostname {
  try {
    return parseHostname(identifier.value)
  } catch {
    throw nonsense('it asks for a name that is none')
  }
}

/** Ways that nobody here knows may look as they like. */
const readChallenges = ({ challenges }: AuthorizationAnswer): v.InferOutput<typeof challengeSchema>[] =>
  challenges.flatMap((one) => {
    const read = v.safeParse(challengeSchema, one)
    return read.success ? [read.output] : []
  })

class OpenOrder implements AcmeOrder {
  readonly url: string
  readonly challenges: readonly Asked[]
  readonly #context: OrderContext

  constructor(context: OrderContext, url: string, challenges: readonly Asked[]) {
    this.#context = context
    this.url = url
    this.challenges = challenges
  }

  async validate(signal: AbortSignal): Promise<void> {
    const session = await this.#context.openSession(signal)
    for (const { url } of this.challenges) await session.post(url, {}, 'to look')
    const places = this.challenges.map(({ at }) => at)
    await session.pollAll(places, 'looking', VALIDATE_MS, (data) => {
      const answer = parse(authorizationSchema, data, 'what it found')
      if (answer.status === 'pending') return undefined
      if (answer.status !== 'valid') throw authorizationFailed(answer)
      return true
    })
  }

  async finish(signal: AbortSignal): Promise<IssuedCertificate> {
    const session = await this.#context.openSession(signal)
    const { names } = this.#context.request
    const ready = await session.poll(this.url, 'the order', FINISH_MS, (data) => {
      const answer = parse(orderSchema, data, 'its order')
      if (answer.status === 'invalid') throw orderFailed(answer)
      return answer.status === 'pending' || answer.status === 'processing' ? undefined : answer
    })
    // Authorities give the same order to all who ask for the same names with one account; whoever ended it has its key.
    if (ready.status === 'valid') {
      throw new AuthorityError('conflict', 'another node ended the same order', {
        hint: 'It is tried again by itself, if the certificate of the other node does not come.',
      })
    }
    const key = await makeKey()
    await session.post(ready.finalize, { csr: await makeRequest(key, names) }, 'to certify').catch((error: unknown) => {
      // The answer may have been lost after it was done.
      if (!(error instanceof AuthorityError && error.type === 'orderNotReady')) throw error
    })
    const certificate = await session.poll(this.url, 'the order', FINISH_MS, (data) => {
      const answer = parse(orderSchema, data, 'its order')
      if (answer.status === 'invalid') throw orderFailed(answer)
      return answer.status === 'valid' ? answer.certificate : undefined
    })
    const { data } = await session.post(certificate, null, 'to hand over the certificate')
    return checkIssued(data, key, names, this.#context.now())
  }
}

function authorizationFailed(answer: AuthorizationAnswer): AuthorityError {
  const name = `${answer.wildcard === true ? '*.' : ''}${answer.identifier.value}`
  const why = readChallenges(answer).find(({ error }) => error !== undefined)?.error
  const problem = readProblem(why ?? { detail: `the authorization is ${answer.status}` }, { doing: name })
  const { type, message, hint, identifier = answer.identifier.value } = problem
  return new AuthorityError(type, message, { identifier, ...(hint === undefined ? {} : { hint }) })
}

const orderFailed = (answer: OrderAnswer): AuthorityError =>
  readProblem(answer.error ?? { detail: 'the order is invalid' }, { doing: 'the order' })

function parse<Schema extends v.GenericSchema>(schema: Schema, data: unknown, what: string): v.InferOutput<Schema> {
  const read = v.safeParse(schema, data)
  if (!read.success) throw nonsense(`${what} cannot be read`)
  return read.output
}
