import { asMakiError, type Cancel, Emitter, type State } from '../../core/index.ts'
import { type ChoiceOutput, EndpointChoice } from './endpoint-choice.ts'
import { MeshDevice } from './mesh-device.ts'
import { canonicalAddress, holdsAddress } from './mesh-endpoint.ts'
import type { Mesh, MeshEvents, MeshOptions } from './mesh-options.ts'
import { buildMeshPlan, type MeshPlan } from './mesh-plan.ts'
import { describePeers, type LastLook, type MeshStatus } from './mesh-status.ts'
import { buildWanted, countPeers, planChange } from './plan-change.ts'
import { isEmptyChange } from './plan-difference.ts'
import type { TunnelStatus } from './ports.ts'
import { SilenceLog } from './silence-log.ts'
import { chooseMtu, Underlay } from './underlay.ts'

/** Between two looks at the tunnel. */
const LOOK_MS = 2_000
/** Between two looks whether address, route and filter are still there. */
const SHAPE_MS = 30_000
/** A tunnel that cannot be opened is tried again, at first soon. */
const FIRST_RETRY_MS = 1_000
const MAX_RETRY_MS = 60_000

/**
 * Makes the mesh of this node what the state says, and keeps it so. Never rejects: what cannot be had is said in the log and in
 * `status`, and tried again.
 */
export function startMesh(options: MeshOptions): Mesh {
  return new RunningMesh(options)
}

class RunningMesh implements Mesh {
  readonly events = new Emitter<MeshEvents>()
  readonly #options: MeshOptions
  readonly #choice = new EndpointChoice()
  readonly #underlay = new Underlay()
  readonly #silence: SilenceLog
  readonly #tried = Promise.withResolvers<void>()
  #plan: MeshPlan
  #addresses: ReadonlySet<string>
  #device: MeshDevice | undefined
  #last: LastLook | undefined
  /** Why there is no tunnel, or the last change was refused. */
  #trouble: string | undefined
  #failures = 0
  #shapedMs = Number.NEGATIVE_INFINITY
  #cancel: Cancel = () => {}
  #round: Promise<void> | undefined
  #isDue = false
  #isClosed = false
  #isHandedOver = false

  constructor(options: MeshOptions) {
    this.#options = options
    this.#silence = new SilenceLog(options.log)
    this.#plan = buildMeshPlan(options.state, options.self, options.cluster)
    this.#addresses = listAddresses(this.#plan)
    this.#tellFaults(undefined)
    this.#wake()
  }

  get address(): string {
    return this.#plan.address
  }

  get tried(): Promise<void> {
    return this.#tried.promise
  }

  addresses(): ReadonlySet<string> {
    return this.#addresses
  }

  follow(state: State): void {
    const { self, cluster } = this.#options
    const before = this.#plan
    const plan = buildMeshPlan(state, self, cluster)
    // Most changes of a state are about domains.
    if (JSON.stringify(plan) === JSON.stringify(before)) return
    this.#plan = plan
    this.#addresses = listAddresses(plan)
    this.#tellFaults(before)
    this.#wake()
  }

  status(): MeshStatus {
    const { interface: name, self, runtime } = this.#options
    const { address, port, faults } = this.#plan
    const unfiltered = this.#device?.unfiltered
    return {
      interface: name,
      address,
      publicKey: self.publicKey,
      port,
      kind: this.#device?.tunnel.kind,
      mtu: this.#device?.mtu,
      troubles: [
        ...(this.#trouble === undefined ? [] : [this.#trouble]),
        ...(unfiltered === undefined
          ? []
          : [`external peers are left out, for packets cannot be filtered: ${unfiltered}`]),
        ...faults.map(({ name, fault }) => `${name} is left out of the mesh: it ${fault}`),
      ],
      peers: describePeers(this.#reached(), this.#last, runtime.monotonic()),
    }
  }

  handOver(): void {
    this.#isHandedOver = true
    this.#device?.handOver()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await this.#round
    await this.#close()
  }

  /** Looks now, or once more after the look that is under way. */
  #wake(): void {
    if (this.#isClosed) return
    this.#isDue = true
    this.#round ??= this.#work().finally(() => {
      this.#round = undefined
      // It was woken after its last look.
      if (this.#isDue) this.#wake()
    })
  }

  async #work(): Promise<void> {
    const { runtime, log, interface: name } = this.#options
    this.#cancel()
    let delayMs = LOOK_MS
    while (this.#isDue && !this.#isClosed) {
      this.#isDue = false
      try {
        await this.#look()
        if (this.#failures > 0) log.info('mesh.well', { interface: name })
        this.#failures = 0
        this.#trouble = undefined
        delayMs = LOOK_MS
      } catch (thrown) {
        const error = asMakiError(thrown)
        this.#failures++
        if (error.message !== this.#trouble) log.warn('mesh.failed', { interface: name, error })
        this.#trouble = error.message
        delayMs =
          Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 10)) * (0.5 + runtime.random() / 2)
        // What is there and says nothing is no tunnel; the next look opens it again.
        if (error.code === 'MAKI_UNREACHABLE') await this.#close()
      }
      this.#tried.resolve()
      if (!this.#isClosed) this.events.emit('change', this.status())
    }
    if (!this.#isClosed) this.#cancel = runtime.after(delayMs, () => this.#wake())
  }

  async #look(): Promise<void> {
    const { runtime } = this.#options
    const device = this.#device ?? (await this.#open())
    const status = await device.tunnel.status()
    const nowMs = runtime.monotonic()
    await this.#underlay.learn(this.#listEndpoints(status), device.network, nowMs)
    await this.#shape(device, nowMs)
    const choice = this.#choose(status, nowMs)
    for (const name of choice.lookups) void this.#lookUp(name)
    await this.#apply(device, status, choice)
    this.#last = { atMs: nowMs, status, choice }
    this.#silence.note(describePeers(this.#reached(), this.#last, nowMs))
  }

  async #open(): Promise<MeshDevice> {
    const { log, interface: name } = this.#options
    const device = await MeshDevice.open(this.#options, this.#plan, chooseMtu(this.#underlay.paths))
    this.#device = device
    this.#shapedMs = Number.NEGATIVE_INFINITY
    if (this.#isHandedOver) device.handOver()
    const { kind } = device.tunnel
    log.info('mesh.up', { interface: name, kind, address: this.#plan.address, port: this.#plan.port })
    void device.tunnel.gone.then((reason) => this.#lose(device, reason))
    return device
  }

  #lose(device: MeshDevice, reason: string): void {
    if (this.#device !== device || this.#isClosed) return
    this.#options.log.warn('mesh.down', { interface: this.#options.interface, reason })
    void (this.#round ?? Promise.resolve()).then(async () => {
      if (this.#device === device) await this.#close()
      this.#wake()
    })
  }

  async #close(): Promise<void> {
    const device = this.#device
    this.#device = undefined
    this.#last = undefined
    await device?.[Symbol.asyncDispose]()
  }

  async #shape(device: MeshDevice, nowMs: number): Promise<void> {
    const mtu = chooseMtu(this.#underlay.paths)
    const isDue = nowMs - this.#shapedMs >= SHAPE_MS
    if (mtu !== device.mtu || isDue) await device.shape(this.#plan, mtu)
    if (!isDue) return
    await device.filter(this.#plan)
    this.#shapedMs = nowMs
  }

  /** Whom the tunnel is for: without a filter nobody from outside. */
  #reached(): MeshPlan {
    const plan = this.#plan
    if (this.#device?.unfiltered === undefined) return plan
    return { ...plan, peers: plan.peers.filter(({ kind }) => kind === 'node') }
  }

  #choose(status: TunnelStatus, nowMs: number): ChoiceOutput {
    const { runtime, self, localAddresses } = this.#options
    const local = new Set(localAddresses().map(canonicalAddress))
    return this.#choice.step({
      plan: this.#reached(),
      ownKey: self.publicKey,
      status,
      nowMs,
      wallMs: runtime.now(),
      isBehindNat: !this.#plan.publicAddresses.some((address) => local.has(address)),
      hasRoute: (address) => this.#underlay.hasRoute(address),
    })
  }

  async #apply({ tunnel }: MeshDevice, status: TunnelStatus, choice: ChoiceOutput): Promise<void> {
    const { self, privateKey, log } = this.#options
    const own = { publicKey: self.publicKey, privateKey, listenPort: self.port }
    const { asleep, change } = planChange(status, buildWanted(this.#reached(), choice, own), choice)
    if (!isEmptyChange(asleep)) await tunnel.apply(asleep)
    if (isEmptyChange(change)) return
    await tunnel.apply(change)
    const { added, removed } = countPeers(status, change)
    if (added + removed > 0) log.info('mesh.changed', { added, removed, peers: choice.peers.length })
  }

  #listEndpoints(status: TunnelStatus): readonly string[] {
    const told = status.peers.flatMap(({ endpoint }) => endpoint?.host ?? [])
    const planned = this.#plan.peers.flatMap(({ candidates }) => this.#choice.addressesOf(candidates))
    // A way that leads into the mesh is none, and would narrow it by its own overhead again and again.
    return [...told, ...planned].map(canonicalAddress).filter((address) => !holdsAddress(this.#plan.network, address))
  }

  async #lookUp(name: string): Promise<void> {
    const { resolve, runtime, log } = this.#options
    const addresses = await resolve(name).catch((error: unknown) => {
      log.debug('mesh.name-unresolved', { name, error: asMakiError(error) })
      return []
    })
    this.#choice.resolved(name, addresses, runtime.monotonic())
    this.#wake()
  }

  #tellFaults(before: MeshPlan | undefined): void {
    const told = new Set(before?.faults.map(({ name, fault }) => `${name} ${fault}`))
    for (const { name, fault } of this.#plan.faults)
      if (!told.has(`${name} ${fault}`)) this.#options.log.warn('mesh.peer-left-out', { name, fault })
  }
}

const listAddresses = ({ peers }: MeshPlan): ReadonlySet<string> =>
  new Set(peers.filter(({ kind }) => kind === 'node').map(({ address }) => address))
