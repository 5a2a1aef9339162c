import {
  type ClusterId,
  MakiError,
  type MemberKey,
  type SealEpochKey,
  type Sealed,
  type State,
} from '../../core/index.ts'
import { EpochRing } from './epoch-ring.ts'
import type { SealOpener } from './open-certificate.ts'
import { openValue } from './seal.ts'

/** Opens what was sealed to epochs that this node was granted, and does no duty for others; needs nothing but the state. */
export class GrantedSeals implements SealOpener {
  readonly #cluster: ClusterId
  readonly #ring: EpochRing

  constructor(options: { readonly cluster: ClusterId; readonly self: MemberKey; readonly seed: Uint8Array }) {
    this.#cluster = options.cluster
    this.#ring = new EpochRing(options)
  }

  /** Opens what was granted since. */
  openGrants(state: State): void {
    this.#ring.openGrants(state)
  }

  holds(epoch: SealEpochKey): boolean {
    return this.#ring.find(epoch) !== undefined
  }

  /** Throws MAKI_NOT_FOUND where the epoch was not granted, MAKI_INVALID for a box of another purpose. */
  open(purpose: string, sealed: Sealed): Uint8Array {
    const secret = this.#ring.find(sealed.epoch)
    if (secret === undefined)
      throw new MakiError('MAKI_NOT_FOUND', 'this node was not given the key that the value is sealed to')
    return openValue(secret, sealed, { cluster: this.#cluster, purpose })
  }
}
