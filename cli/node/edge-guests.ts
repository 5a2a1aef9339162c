import type { BlobReader, Hostname, Log, Release, Runtime } from '../../core/index.ts'
import {
  type CallerRequest,
  type FunctionCounts,
  FunctionService,
  type GuestCounts,
  Guests,
  type Learnt,
  type Need,
  type NodeContext,
  type Outgoing,
  type OutgoingCounters,
  openOutgoing,
} from '../../edge/index.ts'
import type { AskControl } from './edge-questions.ts'
import type { EdgeGuestOptions } from './guest-options.ts'

/** What a worker counted of guests since it started. */
export interface EdgeGuestCounts {
  readonly guests: GuestCounts
  readonly functions: FunctionCounts
  readonly outgoing: OutgoingCounters
}

export interface EdgeGuestPorts {
  readonly blobs: BlobReader
  readonly context: () => NodeContext
  readonly ask: AskControl
  readonly runtime: Runtime
  readonly log: Log
  /** Where others reach this node: guests do not reach it from inside. */
  readonly ownAddresses: () => Iterable<string>
  /** How long visitors may take to send content for a function. */
  readonly contentTimeoutMs: number | undefined
}

/** Guests of one worker: their processes, their network, and the functions that are called by visitors. */
export class EdgeGuests implements AsyncDisposable {
  readonly runner: Guests
  readonly #functions: FunctionService
  readonly #outgoing: Outgoing

  constructor(options: EdgeGuestOptions, ports: EdgeGuestPorts) {
    const { ask, ownAddresses } = ports
    this.#outgoing = openOutgoing({ ...ports, resolvers: options.resolvers, ownAddresses })
    this.runner = new Guests(options, {
      ...ports,
      openNetwork: (who) => this.#outgoing.session(who),
      async prepare(component) {
        const answer = await ask({ kind: 'component', component })
        return answer !== null && typeof answer === 'object' && ('prepared' in answer || 'fault' in answer)
          ? answer
          : undefined
      },
      async openEnvironment(domain, path, env) {
        const answer = await ask({ kind: 'environment', domain, path, env })
        return answer !== null && typeof answer === 'object' && 'env' in answer ? answer.env : undefined
      },
    })
    this.#functions = new FunctionService(
      { ...ports, runner: this.runner },
      { contentTimeoutMs: ports.contentTimeoutMs },
    )
  }

  /** A copy. */
  get counts(): EdgeGuestCounts {
    return {
      guests: this.runner.counts,
      functions: this.#functions.counts,
      outgoing: structuredClone(this.#outgoing.counters),
    }
  }

  async call({ call }: Extract<Need, { kind: 'function' }>, request: CallerRequest): Promise<Learnt> {
    return { function: await this.#functions.call(call, request) }
  }

  /** A release is about to be served here. */
  foresee(domain: Hostname, release: Release | null): void {
    void this.runner.foresee(domain, [...(release?.functions ?? []), ...(release?.transforms ?? [])])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runner.close()
    await this.#outgoing[Symbol.asyncDispose]()
  }
}
