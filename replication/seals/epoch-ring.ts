import { createHash, createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import {
  type ClusterId,
  listGrants,
  listNeededEpochs,
  type MemberKey,
  type SealEpochKey,
  type Sealed,
  type SealView,
  type State,
} from '../../core/index.ts'
import { memberOpenKey } from './member-opener.ts'
import { type EpochSecret, openGrant, openValue } from './seal.ts'

/** An awareness entry has little room, and a node that lacks more is told of the rest later. */
const MAX_LACKING = 16

/** The epochs that this node can open. Nothing of it is ever written anywhere. */
export class EpochRing {
  readonly #cluster: ClusterId
  readonly #self: MemberKey
  readonly #own: KeyObject
  readonly #secrets = new Map<SealEpochKey, EpochSecret>()
  /** Boxes that did not open, by their hash: they never will. */
  readonly #refused = new Set<string>()

  constructor(options: { cluster: ClusterId; self: MemberKey; seed: Uint8Array }) {
    this.#cluster = options.cluster
    this.#self = options.self
    this.#own = memberOpenKey(options.seed)
  }

  get size(): number {
    return this.#secrets.size
  }

  /** How many grants did not open. */
  get refused(): number {
    return this.#refused.size
  }

  find(epoch: SealEpochKey): EpochSecret | undefined {
    return this.#secrets.get(epoch)
  }

  /** Opens what was granted to this node since; returns the epochs that are open now and were not. */
  openGrants(state: State): SealEpochKey[] {
    const opened: SealEpochKey[] = []
    for (const id of state.ids('seal')) {
      const epoch = id as SealEpochKey
      if (!this.#secrets.has(epoch) && this.#openGrant(state, epoch)) opened.push(epoch)
    }
    return opened
  }

  /** Epochs that are needed and were granted to this node, and that it cannot open all the same. */
  listLacking(view: SealView): SealEpochKey[] {
    return listNeededEpochs(view)
      .map(({ key }) => key)
      .filter((key) => !this.#secrets.has(key) && listGrants(view.state, key).some(({ node }) => node === this.#self))
      .slice(0, MAX_LACKING)
  }

  /** True when both open for the purpose and are equal. The comparison is of keyed hashes, in constant time. */
  isSame(sealed: Sealed, value: Sealed, purpose: string): boolean {
    const [a, b] = [this.#digest(sealed, purpose), this.#digest(value, purpose)]
    return a !== undefined && b !== undefined && timingSafeEqual(a, b)
  }

  #digest(sealed: Sealed, purpose: string): Buffer | undefined {
    const secret = this.#secrets.get(sealed.epoch)
    if (secret === undefined) return undefined
    try {
      const bytes = openValue(secret, sealed, { cluster: this.#cluster, purpose })
      return createHmac('sha256', 'makiatto same').update(bytes).digest()
    } catch {
      // Not sealed for this purpose: a client's mistake, or a box that was copied here.
      return undefined
    }
  }

  #openGrant(state: State, epoch: SealEpochKey): boolean {
    for (const { node, box } of listGrants(state, epoch)) {
      if (node !== this.#self) continue
      const name = createHash('sha256').update(`${epoch} ${box}`).digest('base64url')
      if (this.#refused.has(name)) continue
      const secret = openGrant(this.#own, { epoch, node, box }, this.#cluster)
      if (secret !== undefined) {
        this.#secrets.set(epoch, secret)
        return true
      }
      this.#refused.add(name)
    }
    return false
  }
}
