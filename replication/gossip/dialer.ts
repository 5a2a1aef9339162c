import { isIPv6 } from 'node:net'
import { type Cancel, MakiError, type MemberKey, type Runtime } from '../../core/index.ts'

/** Up to this many others, everybody is linked with everybody. */
export const MAX_NEIGHBOURS = 8
/** In larger clusters each dials four others at random and is dialled by as many: 200 nodes heard all in four rounds. */
const DIALLED_IN_OVERLAY = 4
const FIRST_RETRY_MS = 500
/** Long enough to cost nothing, short enough that a node that returns is greeted soon. */
const MAX_RETRY_MS = 30_000
/** A link that lived this long was a good one: the next retry comes soon again. */
const GOOD_LINK_MS = 10_000

interface DialTarget {
  readonly host: string
  readonly port: number
}

/** Parses `host:port` or `[ipv6]:port`. Throws MAKI_CONFIG. */
export function parseDialTarget(address: string): DialTarget {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || !(port >= 1 && port <= 65_535) || (match?.[1] !== undefined && !isIPv6(host)))
    throw new MakiError('MAKI_CONFIG', `${JSON.stringify(address)} is not an address to dial`, {
      hint: 'Write host:port, or [address]:port for IPv6.',
    })
  return { host, port }
}

interface Target {
  readonly address: string
  state: 'idle' | 'dialling' | 'linked' | 'waiting' | 'self'
  failures: number
  linkedMs: number
  /** Who answered there last; while it is linked some other way, we need not dial. */
  key: MemberKey | undefined
  cancel: Cancel | undefined
}

interface DialerOptions {
  readonly runtime: Runtime
  dial(address: string): void
  isLinked(key: MemberKey): boolean
}

/** Decides when to dial which address: all of few, some of many; failures wait exponentially longer, with jitter. */
export class Dialer {
  readonly #options: DialerOptions
  readonly #targets = new Map<string, Target>()
  #closed = false

  constructor(options: DialerOptions) {
    this.#options = options
  }

  /** Replaces the addresses that are dialled; links that are up stay up. Throws MAKI_CONFIG, changing nothing. */
  setAddresses(addresses: readonly string[]): void {
    for (const address of addresses) parseDialTarget(address)
    const wanted = new Set(addresses)
    for (const [address, target] of this.#targets) {
      if (wanted.has(address)) continue
      target.cancel?.()
      this.#targets.delete(address)
    }
    for (const address of wanted) {
      if (this.#targets.has(address)) continue
      this.#targets.set(address, {
        address,
        state: 'idle',
        failures: 0,
        linkedMs: 0,
        key: undefined,
        cancel: undefined,
      })
    }
    this.fill()
  }

  /** Dials what is due. To be called when a link went down that we did not dial. */
  fill(): void {
    if (this.#closed) return
    const targets = [...this.#targets.values()]
    const others = targets.filter((target) => target.state !== 'self')
    const idle = others.filter((target) => target.state === 'idle' && !this.#isCovered(target))
    let room = idle.length
    if (others.length > MAX_NEIGHBOURS) {
      const open = others.filter((target) => target.state === 'dialling' || target.state === 'linked').length
      room = Math.max(0, DIALLED_IN_OVERLAY - open)
    }
    while (room-- > 0 && idle.length > 0) {
      const [target] = idle.splice(Math.floor(this.#options.runtime.random() * idle.length), 1) as [Target]
      target.state = 'dialling'
      this.#options.dial(target.address)
    }
  }

  /** The link that was dialled is up, and this is who answered. */
  linked(address: string, key: MemberKey): void {
    const target = this.#targets.get(address)
    if (target === undefined) return
    target.state = 'linked'
    target.key = key
    target.linkedMs = this.#options.runtime.monotonic()
  }

  /** Dialling failed or the dialled link went down. `self`: we answered ourselves, which no retry will change. */
  lost(address: string, why: 'self' | 'duplicate' | 'failed', key?: MemberKey): void {
    const target = this.#targets.get(address)
    if (target === undefined || this.#closed) return
    const { runtime } = this.#options
    if (target.state === 'linked' && runtime.monotonic() - target.linkedMs >= GOOD_LINK_MS) target.failures = 0
    if (key !== undefined) target.key = key
    if (why === 'self') target.state = 'self'
    else if (why === 'duplicate' && this.#isCovered(target)) target.state = 'idle'
    else this.#retryLater(target)
    this.fill()
  }

  close(): void {
    this.#closed = true
    for (const target of this.#targets.values()) target.cancel?.()
    this.#targets.clear()
  }

  #retryLater(target: Target): void {
    const { runtime } = this.#options
    const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(target.failures, 10))
    target.failures++
    target.state = 'waiting'
    target.cancel = runtime.after(delayMs * (0.5 + runtime.random() / 2), () => {
      target.cancel = undefined
      target.state = 'idle'
      this.fill()
    })
  }

  #isCovered(target: Target): boolean {
    return target.key !== undefined && this.#options.isLinked(target.key)
  }
}
