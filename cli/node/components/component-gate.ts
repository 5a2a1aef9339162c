import type { BlobHash, Cancel, Hostname, Log, Release, Runtime } from '../../../core/index.ts'
import type { Edge } from '../edge-messages.ts'
import type { ComponentKeeper } from './component-keeper.ts'
import { listComponents } from './list-components.ts'

export interface ComponentGateOptions {
  readonly edge: Pick<Edge, 'activate'>
  readonly keeper: Pick<ComponentKeeper, 'isSettled' | 'want' | 'hurry'>
  readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
  readonly log: Log
}

/** So long the release before goes on; then the files of the new one are served, and its functions follow. */
const WAIT_MS = 20_000

/**
 * Lets the edge switch to a release when its components are ready to be run, so that no visitor waits for that; the one before is
 * served meanwhile. What has no components, or only such as are ready or never will be, passes at once, and so does the first
 * release of a domain: its files are better than nothing.
 */
export class ComponentGate implements Pick<Edge, 'activate'>, Disposable {
  readonly #options: ComponentGateOptions
  /** Domains that serve something. */
  readonly #served = new Set<Hostname>()
  /** The latest call for each domain. */
  readonly #turns = new Map<Hostname, symbol>()
  readonly #waits = new Set<() => void>()
  #isClosed = false

  constructor(options: ComponentGateOptions) {
    this.#options = options
  }

  /** As `Edge.activate`. One that was overtaken by a later call for the domain resolves and does nothing. */
  activate(domain: Hostname, release: Release | null): Promise<void> {
    const { keeper, edge } = this.#options
    const turn = Symbol(domain)
    this.#turns.set(domain, turn)
    const components = release === null ? [] : listComponents(release)
    const ready = keeper.want(domain, components)
    const mustWait = this.#served.has(domain) && !components.every((component) => keeper.isSettled(component))
    if (mustWait && release !== null) {
      for (const component of components) keeper.hurry(component)
      return this.#activateLater(domain, release, turn, components, ready)
    }
    if (release === null) this.#served.delete(domain)
    else this.#served.add(domain)
    return edge.activate(domain, release)
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    for (const end of this.#waits) end()
  }

  async #activateLater(
    domain: Hostname,
    release: Release,
    turn: symbol,
    components: readonly BlobHash[],
    ready: Promise<void>,
  ): Promise<void> {
    const { edge, keeper, runtime, log } = this.#options
    const startedMs = runtime.monotonic()
    await this.#within(ready)
    if (this.#turns.get(domain) !== turn || this.#isClosed) return
    const waiting = components.filter((component) => !keeper.isSettled(component)).length
    const ms = Math.round(runtime.monotonic() - startedMs)
    log[waiting > 0 ? 'warn' : 'info']('release.waited', { domain, release: release.id, ms, notReady: waiting })
    await edge.activate(domain, release)
  }

  async #within(ready: Promise<void>): Promise<void> {
    let cancel: Cancel = () => {}
    let end = (): void => {}
    const late = new Promise<void>((resolve) => {
      end = resolve
      cancel = this.#options.runtime.after(WAIT_MS, resolve)
    })
    this.#waits.add(end)
    await Promise.race([ready, late])
    this.#waits.delete(end)
    cancel()
  }
}
