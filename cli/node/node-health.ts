import {
  type AddressVerdict,
  type Cancel,
  HealthMonitor,
  LagWatch,
  type Log,
  listNodes,
  type MemberKey,
  type NodeStandings,
  type NodeView,
  type OperationId,
  type ProbeTarget,
  type Runtime,
  type SaidObservations,
} from '../../core/index.ts'
import type { HealthVerdict, NodeStatus } from '../../edge/index.ts'
import type { AwarenessView, GossipService, Replica } from '../../replication/index.ts'
import type { DaemonConfig, ListenAddress } from '../config/index.ts'
import {
  findPorts,
  isLocalCluster,
  type ProbeReport,
  Prober,
  probeService,
  type ServicePorts,
} from '../health/index.ts'
import { type DownAddress, listDown, recallDown } from './down-file.ts'
import type { Edge } from './edge-messages.ts'
import { readSaid, readServes } from './said.ts'

export interface NodeHealthOptions {
  readonly config: DaemonConfig['health']
  readonly replica: Replica
  readonly gossip: GossipService
  readonly edge: Pick<Edge, 'setStandings'>
  readonly self: MemberKey
  /** Where our own web server listens; undefined when it does not run. */
  readonly http: ListenAddress | undefined
  readonly version: string
  readonly runtime: Runtime
  readonly log: Log
  /** What was down when this node stopped. */
  readonly remembered: readonly DownAddress[]
  /** What is down, to be remembered; called when it is another. */
  readonly remember: (down: readonly DownAddress[]) => void
  /** What this node says of others, or what it concludes, is another. */
  readonly changed: () => void
}

interface Word {
  readonly data: AwarenessView['data']
  readonly heads: readonly OperationId[]
  readonly serves: ServicePorts | undefined
}

/** Words grow old and holds end without an event. */
const LOOK_MS = 1_000
/** Words that come closer together are heard at once: whoever has the key of a member may speak a thousand times a second. */
const GATHER_MS = 10

/**
 * Watches the public addresses of the other nodes and the own web server, hears what those see, and tells DNS what to make of it: the shell around
 * `HealthMonitor` and `LagWatch`. With `enabled = false` it asks nobody, says nothing, and takes every node for healthy.
 */
export class NodeHealth implements AsyncDisposable {
  readonly #options: NodeHealthOptions
  readonly #monitor: HealthMonitor
  readonly #lag: LagWatch
  readonly #prober: Prober
  readonly #unsubscribe: (() => void)[] = []
  #nodes: readonly NodeView[] = []
  #isLocal = false
  /** The last word of each node; one that went keeps its ports, or nobody could look whether it is back. */
  readonly #words = new Map<MemberKey, Word>()
  #verdicts: readonly AddressVerdict[] = []
  #standings: NodeStandings | undefined
  #behind: ReadonlySet<MemberKey> = new Set()
  readonly #heard = new Set<MemberKey>()
  #said = 'undefined'
  #saying: SaidObservations | undefined
  #remembered: readonly DownAddress[]
  #rememberedUntilMs: number
  #down: string
  #cancel: Cancel = () => {}
  #cancelSoon: Cancel | undefined

  constructor(options: NodeHealthOptions) {
    this.#options = options
    const { config, replica, gossip, self, runtime } = options
    const intervalMs = config.check_interval * 1000
    const thresholds = { failures: config.failure_threshold, successes: config.success_threshold }
    const timeoutMs = Math.max(config.dns_timeout, config.http_timeout) * 1000
    this.#remembered = options.remembered
    this.#down = JSON.stringify(options.remembered)
    // As long as it takes to see by ourselves that an address is down.
    this.#rememberedUntilMs = runtime.monotonic() + thresholds.failures * (1.1 * intervalMs + timeoutMs) + LOOK_MS
    this.#monitor = new HealthMonitor({ self, thresholds, intervalMs, timeoutMs })
    // A change of membership makes another fold.
    this.#lag = new LagWatch({
      has: (id) => replica.fold.has(id),
      isAncestor: (a, b) => replica.fold.isAncestor(a, b),
    })
    this.#prober = new Prober({
      runtime,
      intervalMs,
      timeoutMs,
      probe: (target, signal) => this.#probe(target, signal),
      onOutcome: (target, report) => this.#record(target, report),
    })
    if (!config.enabled) return
    this.#unsubscribe.push(
      replica.events.on('change', ({ delta }) => {
        if (delta.entries.some(([key]) => key.startsWith('node'))) this.#setNodes()
      }),
      gossip.events.on('awareness', () => this.#lookSoon()),
    )
    this.#setNodes()
    this.#wake()
  }

  /** What to say of others in awareness; undefined where nothing is to be said. */
  get observations(): SaidObservations | undefined {
    return this.#saying
  }

  /** What this node concludes of a node. */
  describe(key: MemberKey): Pick<NodeStatus, 'health' | 'behind' | 'serves'> {
    const { runtime } = this.#options
    const serves = this.#words.get(key)?.serves
    const offsetMs = runtime.now() - runtime.monotonic()
    const health = this.#verdicts.filter((verdict) => verdict.key === key).map((one) => showVerdict(one, offsetMs))
    return { health, behind: this.#behind.has(key), ...(serves === undefined ? {} : { serves }) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel()
    this.#cancelSoon?.()
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    await this.#prober[Symbol.asyncDispose]()
  }

  #wake(): void {
    this.#watchLag()
    this.#look()
    this.#cancel = this.#options.runtime.after(LOOK_MS, () => this.#wake())
  }

  #lookSoon(): void {
    this.#cancelSoon ??= this.#options.runtime.after(GATHER_MS, () => {
      this.#cancelSoon = undefined
      this.#look()
    })
  }

  #setNodes(): void {
    this.#nodes = listNodes(this.#options.replica.state)
    this.#isLocal = isLocalCluster(this.#nodes)
    this.#monitor.setNodes(this.#nodes)
    const keys = new Set(this.#nodes.map(({ key }) => key))
    for (const key of this.#words.keys()) if (!keys.has(key)) this.#words.delete(key)
    for (const key of this.#heard) if (!keys.has(key)) this.#heard.delete(key)
    this.#look()
  }

  #probe(target: ProbeTarget, signal: AbortSignal): Promise<ProbeReport> {
    const { config, replica, version, runtime, self, http } = this.#options
    const isOwn = target.key === self
    const to = { service: target.service, address: isOwn ? reachableHost(http?.host) : target.address }
    return probeService(to, {
      isLocal: isOwn || this.#isLocal,
      ports: isOwn ? { http: http?.port } : findPorts(target.address, this.#words.get(target.key)?.serves),
      apex: replica.state.ids('domain')[0],
      version,
      dnsTimeoutMs: config.dns_timeout * 1000,
      httpTimeoutMs: config.http_timeout * 1000,
      runtime,
      signal,
    })
  }

  #record(target: ProbeTarget, report: ProbeReport): void {
    const reason = report.kind === 'up' ? {} : { reason: report.reason }
    const outcome = report.kind === 'unknown' ? 'unable' : report.kind
    this.#monitor.record({ ...target, outcome, ...reason }, this.#options.runtime.monotonic())
    this.#look()
  }

  /** Takes in what is known at this moment, and tells what follows from it where it is new. */
  #look(): void {
    const nowMs = this.#options.runtime.monotonic()
    this.#hear()
    this.#prober.setTargets(this.#monitor.targets())
    const before = new Map(this.#verdicts.map((verdict) => [idOf(verdict), verdict]))
    if (nowMs > this.#rememberedUntilMs) this.#remembered = []
    this.#verdicts = recallDown(this.#monitor.verdicts(nowMs), this.#remembered)
    const turned = this.#verdicts.filter((now) => now.standing !== (before.get(idOf(now))?.standing ?? 'up'))
    const standings = this.#monitor.standings(nowMs, this.#behind, this.#verdicts)
    const isNew = standings !== this.#standings
    if (isNew) {
      this.#standings = standings
      this.#options.edge.setStandings([...standings])
    }
    this.#remember()
    this.#logTurned(turned)
    const saying = this.#monitor.say(nowMs)
    const said = JSON.stringify(saying) ?? 'undefined'
    const saysNew = said !== this.#said
    this.#said = said
    this.#saying = saying
    if (isNew || saysNew || turned.length > 0) this.#options.changed()
  }

  #remember(): void {
    const down = listDown(this.#verdicts, this.#options.self)
    const text = JSON.stringify(down)
    if (text === this.#down) return
    this.#down = text
    this.#options.remember(down)
  }

  #hear(): void {
    const { gossip, self } = this.#options
    const heard = new Map(gossip.awareness.entries().map((entry) => [entry.key, entry]))
    for (const { key } of this.#nodes) {
      if (key === self) continue
      const entry = heard.get(key)
      const isHeard = entry?.up === true
      this.#monitor.hear(key, entry?.data.observations, isHeard)
      if (isHeard) this.#heard.add(key)
      else this.#heard.delete(key)
      this.#read(key, entry?.data)
    }
  }

  /** Compares heads with each other, which may be much: once a second, and no more when words come faster. */
  #watchLag(): void {
    const { replica, runtime, self } = this.#options
    const nowMs = runtime.monotonic()
    this.#lag.note(
      replica.heads().map(({ id }) => id),
      nowMs,
    )
    // One that went silent has caught up with nothing that we heard of.
    const lags = ({ key }: NodeView): boolean =>
      this.#heard.has(key) ? this.#lag.isBehind(this.#words.get(key)?.heads ?? [], nowMs) : this.#behind.has(key)
    this.#setBehind(new Set(this.#nodes.flatMap((node) => (node.key !== self && lags(node) ? [node.key] : []))))
  }

  /** Each word is read once, however often it is looked at. */
  #read(key: MemberKey, data: AwarenessView['data'] | undefined): void {
    const known = this.#words.get(key)
    if (data === undefined || known?.data === data) return
    const word = { data, heads: readSaid(data).heads, serves: readServes(data) ?? known?.serves }
    this.#words.set(key, word)
  }

  #setBehind(behind: ReadonlySet<MemberKey>): void {
    for (const key of behind.symmetricDifference(this.#behind)) {
      const isBehind = behind.has(key)
      this.#options.log[isBehind ? 'warn' : 'info']('health.behind', { node: this.#nameOf(key), behind: isBehind })
    }
    this.#behind = behind
  }

  #logTurned(turned: readonly AddressVerdict[]): void {
    for (const { key, family, service, address, standing, reason, votes, basis } of turned) {
      const data = { node: this.#nameOf(key), service, family, address, standing, reason, votes, basis }
      this.#options.log[standing === 'down' ? 'warn' : 'info']('health.verdict', data)
    }
  }

  #nameOf(key: MemberKey): string {
    return this.#nodes.find((node) => node.key === key)?.name ?? key
  }
}

/** Where a server that listens at `host` is reached from the same machine. */
function reachableHost(host = '0.0.0.0'): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

const idOf = ({ key, service, address }: AddressVerdict): string => `${key} ${service} ${address}`

/** `offsetMs`: the wall clock minus the monotonic one. */
function showVerdict(verdict: AddressVerdict, offsetMs: number): HealthVerdict {
  const { family, service, address, standing, sinceMs, reason, votes, basis } = verdict
  const since = new Date(Math.round(sinceMs + offsetMs)).toISOString()
  return { family, service, address, standing, since, ...(reason === undefined ? {} : { reason }), votes, basis }
}
