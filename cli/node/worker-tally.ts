import { OTHER_DOMAIN, type RequestCounts } from '../../edge/index.ts'
import { addCounts } from './counts.ts'
import type { EdgeCounters } from './edge-messages.ts'

/** Domains that are told apart over all workers; those that come later are `other`, for good. */
const MAX_DOMAINS = 100
const NOTHING: EdgeCounters = {
  dns: undefined,
  http: undefined,
  requests: undefined,
  accessLinesDropped: 0,
  workers: { running: 0, died: 0 },
}

/**
 * What the workers of a node counted, those that are gone included: a counter never goes back because a worker died. What
 * one counted after it last said so is lost with it.
 */
export class WorkerTally {
  #gone = NOTHING
  readonly #said = new Map<number, EdgeCounters>()
  readonly #domains = new Set<string>([OTHER_DOMAIN])

  /** A worker, by its process id, has counted so much since it started. */
  hear(pid: number, counters: EdgeCounters): void {
    this.#said.set(pid, { ...counters, workers: { running: 1, died: 0 } })
  }

  /** It has ended: what it counted stays, what it held is gone. */
  retire(pid: number, died: boolean): void {
    const last = this.#said.get(pid) ?? NOTHING
    this.#said.delete(pid)
    const http = last.http === undefined ? undefined : { ...last.http, active: 0 }
    this.#gone = addCounts(this.#gone, { ...last, http, workers: { running: 0, died: died ? 1 : 0 } })
  }

  get total(): EdgeCounters {
    const sum = [...this.#said.values()].reduce<EdgeCounters>(addCounts, this.#gone)
    return sum.requests === undefined ? sum : { ...sum, requests: this.#bound(sum.requests) }
  }

  /** Each worker names so many domains at most; all together name no more. */
  #bound({ requests, ...rest }: RequestCounts): RequestCounts {
    const named: Record<string, readonly number[]> = {}
    for (const [domain, counts] of Object.entries(requests)) {
      if (this.#domains.size <= MAX_DOMAINS) this.#domains.add(domain)
      const label = this.#domains.has(domain) ? domain : OTHER_DOMAIN
      named[label] = addCounts(named[label] as readonly number[], counts)
    }
    return { ...rest, requests: named }
  }
}
