import type { Runtime } from '../../core/index.ts'
import { clientPrefix, findTarget, plainAddress } from '../message/index.ts'
import type { Plan, SiteRequest } from '../respond/index.ts'
import type { Protocol } from './request-metrics.ts'

/** How the access log is written. */
export interface AccessLogOptions {
  /** This share of the requests: 0 for none, 1 for all. Answers from 500 up are told whatever it is, unless it is 0. */
  readonly share: number
  /** Lines of this worker; what is more is counted and left out. */
  readonly linesPerSecond: number
  /** The client's address: whole, its network of /24 or /48, or nothing. */
  readonly addresses: 'full' | 'prefix' | 'none'
}

export interface AccessLogPorts {
  readonly runtime: Pick<Runtime, 'now' | 'monotonic' | 'random'>
  /** Takes a line, with its line feed; false where there was no room for it. Must not block. */
  readonly write: (line: string) => boolean
}

/** How an answer ended. */
export interface Answered {
  readonly protocol: Protocol
  readonly bytes: number
  readonly durationMs: number
  /** All of it was handed to the system. */
  readonly complete: boolean
}

const MAX_TEXT = 256
const MAX_PATH = 1024
/** A pause fills the bucket for so long. */
const BURST_S = 2
/** What was drawn leaves so much of the bucket to answers from 500 up. */
const KEPT_FOR_FAULTS = 0.5

/**
 * One line of JSON for a request, of ASCII alone: whatever a client sends, it cannot begin a line, end one, or reach a
 * terminal. Never a query, a password or a cookie: what stands behind the question mark is often a secret.
 */
export class AccessLog {
  readonly #options: AccessLogOptions
  readonly #ports: AccessLogPorts
  readonly #burst: number
  #tokens: number
  #filledAtMs: number
  #dropped = 0

  constructor(options: AccessLogOptions, ports: AccessLogPorts) {
    this.#options = options
    this.#ports = ports
    this.#burst = Math.max(1, options.linesPerSecond * BURST_S)
    this.#tokens = this.#burst
    this.#filledAtMs = ports.runtime.monotonic()
  }

  /** Lines that were wanted and are not there: too many a second, or nobody read them. */
  get dropped(): number {
    return this.#dropped
  }

  /** Whether the answer is to be told: drawn, once for each. To be asked when its answer has ended. */
  wants(status: number): boolean {
    const { share } = this.#options
    if (share === 0) return false
    const isFault = status >= 500
    if (!isFault && share < 1 && this.#ports.runtime.random() >= share) return false
    this.#fill()
    if (this.#tokens < (isFault ? 1 : Math.max(1, this.#burst * KEPT_FOR_FAULTS))) {
      this.#dropped++
      return false
    }
    this.#tokens--
    return true
  }

  /** Tells what `wants` wanted. */
  tell(request: SiteRequest, plan: Plan, answered: Answered): void {
    const line = formatAccess(request, plan, answered, this.#options.addresses, this.#ports.runtime.now())
    if (!this.#ports.write(line)) this.#dropped++
  }

  #fill(): void {
    const nowMs = this.#ports.runtime.monotonic()
    const gained = ((nowMs - this.#filledAtMs) / 1000) * this.#options.linesPerSecond
    this.#tokens = Math.min(this.#burst, this.#tokens + gained)
    this.#filledAtMs = nowMs
  }
}

/** The line of one request, with its line feed; pure. */
export function formatAccess(
  request: SiteRequest,
  plan: Plan,
  { protocol, bytes, durationMs, complete }: Answered,
  addresses: AccessLogOptions['addresses'],
  nowMs: number,
): string {
  const client = request.client()
  const entry = {
    time: new Date(nowMs).toISOString(),
    level: 'info',
    event: 'http.request',
    host: cut(request.host, MAX_TEXT),
    domain: plan.of?.domain,
    method: cut(request.method, MAX_TEXT),
    path: cut(pathOf(request), MAX_PATH),
    status: plan.status,
    bytes,
    ms: Math.round(durationMs * 1000) / 1000,
    ...(complete ? {} : { complete }),
    protocol,
    secure: request.secure,
    release: plan.of?.release,
    country: client.country,
    client: showAddress(client.address, addresses),
    agent: cut(request.field('user-agent'), MAX_TEXT),
    referer: cut(withoutSecrets(request.field('referer')), MAX_TEXT),
  }
  return `${JSON.stringify(entry).replace(/[\x7f-\uffff]/g, escapeUnit)}\n`
}

/** Of an absolute target its path alone; of what is no target nothing. */
function pathOf({ method, target }: SiteRequest): string | undefined {
  const found = findTarget(method, target)
  return found?.kind === 'server' ? '*' : found?.raw
}

/** A URL without user information, query and fragment. */
function withoutSecrets(url: string | undefined): string | undefined {
  return url?.replace(/[?#].*$/s, '').replace(/^([a-z][a-z0-9+.-]*:)?\/\/[^/]*@/is, '$1//')
}

function showAddress(address: string, how: AccessLogOptions['addresses']): string | undefined {
  switch (how) {
    case 'full':
      return cut(plainAddress(address), MAX_TEXT)
    case 'prefix':
      return clientPrefix(address)
    case 'none':
      return undefined
    default:
      return how satisfies never
  }
}

const cut = (text: string | undefined, length: number): string | undefined =>
  text === undefined || text.length <= length ? text : `${text.slice(0, length)}...`

const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
