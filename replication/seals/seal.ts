import type { KeyObject } from 'node:crypto'
import {
  type ClusterId,
  encodeBase32,
  epochBytes,
  idBytes,
  MakiError,
  type MemberKey,
  type Runtime,
  type SealEpochKey,
  type Sealed,
  sealPurpose,
} from '../../core/index.ts'
import { exportPublicKey, type HpkeContext, importPrivateKey, openHpke, sealHpke, X25519_BYTES } from './hpke.ts'
import { memberSealKey } from './member-opener.ts'
import { pad, unpad } from './padding.ts'

/** Where a sealed value belongs: it opens nowhere else. */
export interface SealPlace {
  readonly cluster: ClusterId
  /** One of `sealPurpose`. */
  readonly purpose: string
}

/** The private half of an epoch; only ever in memory. */
export interface EpochSecret {
  readonly epoch: SealEpochKey
  readonly privateKey: KeyObject
  /** 32 bytes; what a grant carries. */
  readonly bytes: Uint8Array
}

type Chance = Pick<Runtime, 'randomBytes'>

const CONTEXT = new TextEncoder().encode('makiatto seal 1\0')
const utf8 = new TextEncoder()
/** A grant holds exactly a key. */
const GRANT_PAD_BYTES = 64

/** A fresh epoch. */
export function createEpoch(runtime: Chance): EpochSecret {
  return epochFrom(runtime.randomBytes(X25519_BYTES))
}

/** Seals a value to an epoch. Anybody can; only nodes that were granted the epoch can open it. Throws MAKI_INVALID for an epoch whose key is none. */
export function sealValue(epoch: SealEpochKey, value: Uint8Array, place: SealPlace, runtime: Chance): Sealed {
  return { epoch, box: sealBox(epochBytes(epoch), pad(value), place, runtime) }
}

/** Opens a value with the private half of its epoch. Throws MAKI_INVALID when it was not sealed to it for that place. */
export function openValue(secret: EpochSecret, sealed: Sealed, place: SealPlace): Uint8Array {
  return unpad(openBox(secret.privateKey, sealed.box, place))
}

/** The box of a `seal.grant`. Throws MAKI_INVALID for a member key that nothing can be sealed to. */
export function sealGrant(secret: EpochSecret, node: MemberKey, cluster: ClusterId, runtime: Chance): string {
  const place = { cluster, purpose: sealPurpose.grant(secret.epoch, node) }
  return sealBox(memberSealKey(node), pad(secret.bytes, GRANT_PAD_BYTES), place, runtime)
}

/** Undefined for a box that does not open, or holds another key than the epoch's: such a grant counts as none. */
export function openGrant(
  own: KeyObject,
  grant: { readonly epoch: SealEpochKey; readonly node: MemberKey; readonly box: string },
  cluster: ClusterId,
): EpochSecret | undefined {
  try {
    const place = { cluster, purpose: sealPurpose.grant(grant.epoch, grant.node) }
    const bytes = unpad(openBox(own, grant.box, place))
    if (bytes.length !== X25519_BYTES) return undefined
    const secret = epochFrom(bytes)
    return secret.epoch === grant.epoch ? secret : undefined
  } catch (error) {
    if (error instanceof MakiError) return undefined
    throw error
  }
}

function epochFrom(bytes: Uint8Array): EpochSecret {
  const privateKey = importPrivateKey(bytes)
  return { epoch: encodeBase32(exportPublicKey(privateKey)) as SealEpochKey, privateKey, bytes }
}

function sealBox(publicKey: Uint8Array, padded: Uint8Array, place: SealPlace, runtime: Chance): string {
  try {
    const sealed = sealHpke(publicKey, padded, contextOf(place), runtime.randomBytes(X25519_BYTES))
    return Buffer.from(sealed).toString('base64url')
  } catch (cause) {
    throw new MakiError('MAKI_INVALID', 'nothing can be sealed to this key: it belongs to nobody', { cause })
  }
}

function openBox(privateKey: KeyObject, box: string, place: SealPlace): Uint8Array {
  try {
    const bytes = Buffer.from(box, 'base64url')
    // One box has one spelling: others could stand beside it as if they were others.
    if (bytes.toString('base64url') !== box) throw new Error('it is not base64url as it is written')
    return openHpke(privateKey, bytes, contextOf(place))
  } catch (cause) {
    throw new MakiError('MAKI_INVALID', `the value does not open as ${place.purpose.split(' ')[0]}`, { cause })
  }
}

function contextOf({ cluster, purpose }: SealPlace): HpkeContext {
  return { info: Buffer.concat([CONTEXT, idBytes(cluster)]), aad: utf8.encode(purpose) }
}
