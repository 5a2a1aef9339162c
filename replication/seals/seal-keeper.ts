import {
  asMakiError,
  type Change,
  type ClusterId,
  canSeal,
  changedScopes,
  Emitter,
  findSealEpoch,
  type Log,
  listSealed,
  listUngranted,
  liveNodes,
  MakiError,
  type MemberKey,
  type Operation,
  type Runtime,
  type SealEpochKey,
  type Sealed,
  type SealedPlace,
  type SealView,
  type Signer,
  type StateDelta,
  scopeKind,
} from '../../core/index.ts'
import { grantId, planSealDuties, type SealDuty } from './duty.ts'
import { DutyRoster } from './duty-roster.ts'
import { EpochRing } from './epoch-ring.ts'
import { createEpoch, type EpochSecret, openValue, sealGrant } from './seal.ts'

/** What the keeper needs of the replica. */
export interface SealReplica extends SealView {
  readonly cluster: ClusterId
  readonly events: { on(event: 'change', listener: (change: { delta: StateDelta }) => void): () => void }
  commit(signer: Signer, changes: readonly Change[], message?: string): Promise<Operation>
}

/** What the keeper hears of other nodes, by word of mouth that need not last. */
export interface SealPeers {
  /** Nodes that were heard lately. */
  up(): ReadonlySet<MemberKey>
  /** Epochs that nodes say they cannot open though they were granted them. */
  lacking(): ReadonlyMap<MemberKey, ReadonlySet<SealEpochKey>>
  /** Calls when any of it may have changed. */
  onChange(listener: () => void): () => void
}

export interface SealKeeperOptions {
  readonly replica: SealReplica
  readonly signer: Signer
  /** The seed of the signer's key, which grants are opened with. */
  readonly seed: Uint8Array
  readonly peers: SealPeers
  readonly runtime: Runtime
  readonly log: Log
}

export interface SealKeeperEvents {
  /** Epochs opened that were closed, or `lacks` changed. */
  opened: { readonly epochs: readonly SealEpochKey[] }
}

/** Changes closer together are looked at once; also the time in which another's act may arrive. */
const GATHER_MS = 50
/** After a commit that failed. */
const RETRY_MS = 10_000
/** For one question: long enough for an operation to be written and for neighbours to act. */
const ENSURE_MS = 10_000
/** Some 300 bytes each, and an operation has 1 MiB. */
const MAX_GRANTS = 2000

const CONCERNED: ReadonlySet<string> = new Set([
  'seal',
  'node',
  'member',
  'certificate',
  'account',
  'domain',
  'cluster',
])

/**
 * Holds the private halves of epochs in memory, opens sealed values, and does a node's part of the duty that somebody begins
 * an epoch when none is safe and grants it to whoever lacks it. After a start everything is recovered from the grants.
 */
export class SealKeeper implements AsyncDisposable {
  readonly events = new Emitter<SealKeeperEvents>()
  readonly #options: SealKeeperOptions
  readonly #ring: EpochRing
  readonly #roster: DutyRoster
  readonly #unsubscribe: (() => void)[]
  readonly #waiting = new Set<() => void>()
  #acting: Promise<void> | undefined
  #lacks = ''
  #closed = false

  constructor(options: SealKeeperOptions) {
    this.#options = options
    const { replica, peers, runtime, signer, seed } = options
    this.#ring = new EpochRing({ cluster: replica.cluster, self: signer.key, seed })
    this.#roster = new DutyRoster(runtime, () => this.#look())
    this.#unsubscribe = [
      replica.events.on('change', ({ delta }) => {
        if ([...changedScopes(delta)].some((scope) => CONCERNED.has(scopeKind(scope)))) this.#roster.wake(GATHER_MS)
      }),
      peers.onChange(() => this.#roster.wake(GATHER_MS)),
    ]
    this.#open()
    this.#roster.wake(GATHER_MS)
  }

  /** Epochs that nodes need and that this one was granted in vain; to be told to the others. */
  get lacks(): readonly SealEpochKey[] {
    return this.#ring.listLacking(this.#options.replica)
  }

  /** Counted since the start. */
  get counts(): { readonly epochsHeld: number; readonly grantsRefused: number; readonly dutiesDone: number } {
    return { epochsHeld: this.#ring.size, grantsRefused: this.#ring.refused, dutiesDone: this.#roster.done }
  }

  /** True where what is sealed to the epoch can be opened here. */
  holds(epoch: SealEpochKey): boolean {
    return this.#ring.find(epoch) !== undefined
  }

  /**
   * A sealed value in clear; for this process alone. Throws MAKI_NOT_FOUND where this node has not been granted the epoch (it
   * may be later), MAKI_INVALID for a box that was not sealed for that purpose.
   */
  open(purpose: string, sealed: Sealed): Uint8Array {
    const secret = this.#ring.find(sealed.epoch)
    if (secret === undefined)
      throw new MakiError('MAKI_NOT_FOUND', 'this node was not given the key that the value is sealed to', {
        hint: 'Another node gives it as soon as it is reached: maki status',
      })
    return openValue(secret, sealed, { cluster: this.#options.replica.cluster, purpose })
  }

  /** The epoch that values are sealed to now; undefined while there is none. */
  present(): SealEpochKey | undefined {
    return findSealEpoch(this.#options.replica)?.key
  }

  /**
   * The epoch that values are sealed to, begun at once where there is none, and granted to all nodes that can be heard.
   * Throws MAKI_UNSUPPORTED while a node runs a version without seals, MAKI_TIMEOUT when it takes too long.
   */
  async ensureEpoch(): Promise<SealEpochKey> {
    const { replica, runtime, signer } = this.#options
    if (!liveNodes(replica).has(signer.key))
      throw new MakiError('MAKI_OPERATION_REFUSED', 'this node does not belong to the cluster, so it begins no epoch')
    if (!canSeal(replica.state))
      throw new MakiError('MAKI_UNSUPPORTED', 'nothing can be sealed while a node runs a version without seals', {
        hint: 'maki status shows the versions; upgrade the oldest.',
      })
    const { promise, resolve, reject } = Promise.withResolvers<SealEpochKey>()
    const check = (): void => {
      const epoch = this.#settledEpoch()
      if (epoch !== undefined) resolve(epoch)
    }
    const late = () => reject(new MakiError('MAKI_TIMEOUT', `no epoch to seal to after ${ENSURE_MS / 1000} s`))
    const cancel = runtime.after(ENSURE_MS, late)
    this.#waiting.add(check)
    try {
      check()
      this.#look()
      return await promise
    } finally {
      cancel()
      this.#waiting.delete(check)
    }
  }

  /**
   * For each item whether both values are the same. Answered only for boxes that stand in the state at that purpose, so that
   * nobody learns of others; false also where one of them does not open here. Takes the same time whatever the values are.
   * Undefined, and nothing is opened, for what is not in the state or not to be compared.
   */
  same(
    items: readonly { purpose: string; sealed: Sealed; value: Sealed }[],
    mayCompare: (place: SealedPlace) => boolean,
  ): (boolean | undefined)[] {
    const places = new Map<string, SealedPlace>()
    for (const place of listSealed(this.#options.replica.state)) places.set(placeId(place.purpose, place.sealed), place)
    return items.map(({ purpose, sealed, value }) => {
      const place = places.get(placeId(purpose, sealed))
      return place !== undefined && mayCompare(place) ? this.#ring.isSame(sealed, value, purpose) : undefined
    })
  }

  /** Resolves when nothing of ours is under way; nothing is begun after. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#roster.close()
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    await this.#acting
  }

  #settledEpoch(): SealEpochKey | undefined {
    const { replica, peers } = this.#options
    const epoch = findSealEpoch(replica)
    if (epoch === undefined || !this.holds(epoch.key)) return undefined
    const up = peers.up()
    return listUngranted(replica, epoch.key).some(
      (key) => up.has(key) && !this.#roster.isImpossible(grantId(epoch.key, key)),
    )
      ? undefined
      : epoch.key
  }

  #look(): void {
    if (this.#closed) return
    this.#open()
    const due = this.#roster.take(this.#plan(), this.#waiting.size > 0)
    if (due.length > 0) this.#acting ??= this.#act(due).finally(() => this.#rest())
    for (const check of [...this.#waiting]) check()
  }

  #rest(): void {
    this.#acting = undefined
    if (!this.#closed) this.#roster.wake(GATHER_MS)
  }

  #plan(): readonly SealDuty[] {
    const { replica, signer, peers } = this.#options
    return planSealDuties({
      cluster: replica,
      self: signer.key,
      holds: (epoch) => this.holds(epoch),
      up: peers.up(),
      lacking: peers.lacking(),
    })
  }

  #open(): void {
    const { replica, log } = this.#options
    const opened = this.#ring.openGrants(replica.state)
    const lacks = this.lacks.join()
    if (opened.length === 0 && lacks === this.#lacks) return
    if (lacks !== this.#lacks && lacks !== '') log.warn('seal.grants-refused', { epochs: this.lacks })
    if (opened.length > 0) log.info('seal.opened', { epochs: opened })
    this.#lacks = lacks
    this.events.emit('opened', { epochs: opened })
  }

  async #act(duties: readonly SealDuty[]): Promise<void> {
    const { replica, signer, log, runtime } = this.#options
    const begins = duties.some(({ kind }) => kind !== 'grant')
    const changes: Change[] = []
    if (begins) {
      const secret = createEpoch(runtime)
      const nodes = [...liveNodes(replica)].slice(0, MAX_GRANTS)
      changes.push({ kind: 'seal.epoch', epoch: secret.epoch }, ...nodes.flatMap((node) => this.#grant(secret, node)))
    } else {
      for (const duty of duties.slice(0, MAX_GRANTS)) {
        const secret = duty.kind === 'grant' ? this.#ring.find(duty.epoch) : undefined
        if (duty.kind === 'grant' && secret !== undefined) changes.push(...this.#grant(secret, duty.node))
      }
    }
    if (changes.length === 0) return
    try {
      const { id } = await replica.commit(signer, changes)
      this.#roster.count(changes.length, begins)
      log.info(begins ? 'seal.epoch-begun' : 'seal.granted', { operation: id, grants: changes.length })
    } catch (error) {
      log.warn('seal.duty-failed', { error: asMakiError(error) })
      this.#roster.hold(RETRY_MS)
    }
  }

  /** Nothing for a node whose key nothing can be sealed to: it was admitted like that, and others must not suffer from it. */
  #grant(secret: EpochSecret, node: MemberKey): readonly Change[] {
    const { replica, runtime, log } = this.#options
    try {
      const box = sealGrant(secret, node, replica.cluster, runtime)
      return [{ kind: 'seal.grant', epoch: secret.epoch, node, box }]
    } catch (error) {
      log.warn('seal.grant-impossible', { node, error: asMakiError(error) })
      this.#roster.giveUp(grantId(secret.epoch, node))
      return []
    }
  }
}

const placeId = (purpose: string, { epoch, box }: Sealed): string => `${epoch} ${box} ${purpose}`
