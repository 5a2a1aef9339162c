import {
  type ClusterId,
  encodeCanonical,
  idBytes,
  type MemberKey,
  type Signer,
  verifySignature,
} from '../../core/index.ts'
import { type Frame, type FrameOf, NONCE_BYTES, PROTOCOL_VERSION } from './wire.ts'

/** Ten round trips to the far side of the earth over a bad line, and a tenth of a minute more; then a slot is free again. */
export const HANDSHAKE_TIMEOUT_MS = 10_000

const CONTEXT = new TextEncoder().encode('makiatto session 1\0')

export interface SessionConfig {
  readonly role: 'initiator' | 'responder'
  readonly cluster: ClusterId
  readonly signer: Signer
  /** 32 bytes, strong, never used before. */
  readonly nonce: Uint8Array
  readonly incarnation: number
  readonly version: string
  readonly blobsPort: number
  /** Membership operations that admit us, for a peer that has not heard of us; empty when there are none. */
  readonly admission: readonly Uint8Array[]
  isMember(key: MemberKey): boolean
  /** Asked only about a key that is no member, after its holder proved to have it. */
  admits(key: MemberKey, operations: readonly Uint8Array[]): boolean
}

/** Who is on the other side, proved. */
export interface SessionPeer {
  readonly key: MemberKey
  readonly incarnation: number
  readonly version: string
  readonly blobsPort: number
  /** What admitted it, to be merged; empty when it was a member before. */
  readonly admission: readonly Uint8Array[]
}

type RefusalReason =
  | 'other-protocol'
  | 'wrong-cluster'
  | 'self'
  | 'forged-proof'
  | 'stranger'
  | 'out-of-turn'
  | 'refused-by-peer'

export type SessionStep =
  | { readonly kind: 'continue'; readonly send: readonly Frame[] }
  /** `send` goes before anything else on this link. */
  | { readonly kind: 'authenticated'; readonly peer: SessionPeer; readonly send: readonly Frame[] }
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly detail: string }

/**
 * The handshake, without socket or clock. Both sides say hello, then sign both hellos with their direction (SIGMA's
 * idea: neither can be replayed, reflected or moved to another cluster or connection). The signature is checked before
 * membership is, so that a stranger makes us verify one signature and no more. Who dialled proves itself first: whoever
 * only knows the cluster's id learns our key from us, and not who else belongs.
 */
export class Session {
  readonly #config: SessionConfig
  readonly #hello: FrameOf<'hello'>
  #theirs: FrameOf<'hello'> | undefined
  #admission: readonly Uint8Array[] | undefined

  constructor(config: SessionConfig) {
    if (config.nonce.length !== NONCE_BYTES) throw new Error('a nonce has 32 bytes')
    this.#config = config
    const { cluster, signer, nonce, incarnation, version, blobsPort } = config
    this.#hello = {
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      cluster,
      key: signer.key,
      nonce,
      incarnation,
      version,
      blobsPort,
    }
  }

  /** To be sent first. */
  start(): Frame {
    return this.#hello
  }

  /** Whom the other side claims to be; for logs only until it is authenticated. */
  get claimed(): MemberKey | undefined {
    return this.#theirs?.key
  }

  /** The next frame from the other side; not to be called again after `authenticated` or `refused`. */
  handle(frame: Frame): SessionStep {
    switch (frame.type) {
      case 'hello':
        return this.#meet(frame)
      case 'admission':
        if (this.#theirs === undefined || this.#admission !== undefined) return outOfTurn(frame)
        this.#admission = frame.operations
        return { kind: 'continue', send: [] }
      case 'proof':
        return this.#verify(frame)
      case 'bye':
        return refused('refused-by-peer', frame.reason)
      default:
        return outOfTurn(frame)
    }
  }

  #meet(hello: FrameOf<'hello'>): SessionStep {
    if (this.#theirs !== undefined) return outOfTurn(hello)
    const { cluster, signer, role } = this.#config
    if (hello.protocol !== PROTOCOL_VERSION)
      return refused('other-protocol', `it speaks protocol ${hello.protocol}, not ${PROTOCOL_VERSION}`)
    if (hello.cluster !== cluster) return refused('wrong-cluster', `it belongs to cluster ${hello.cluster}`)
    if (hello.key === signer.key) return refused('self', 'it has our own key')
    this.#theirs = hello
    return { kind: 'continue', send: role === 'initiator' ? this.#prove(hello) : [] }
  }

  #prove(theirs: FrameOf<'hello'>): readonly Frame[] {
    const { signer, role, admission } = this.#config
    const signature = signer.sign(signedBytes(role, this.#hello, theirs))
    const send: Frame[] = admission.length > 0 ? [{ type: 'admission', operations: [...admission] }] : []
    return [...send, { type: 'proof', signature }]
  }

  #verify(proof: FrameOf<'proof'>): SessionStep {
    const theirs = this.#theirs
    if (theirs === undefined) return outOfTurn(proof)
    const theirRole = this.#config.role === 'initiator' ? 'responder' : 'initiator'
    if (!verifySignature(theirs.key, signedBytes(theirRole, theirs, this.#hello), proof.signature))
      return refused('forged-proof', 'its proof is not signed by its key over this handshake')
    const presented = this.#admission ?? []
    const member = this.#config.isMember(theirs.key)
    if (!member && !this.#config.admits(theirs.key, presented))
      return refused('stranger', `${theirs.key} is not a member of this cluster`)
    const { key, incarnation, version, blobsPort } = theirs
    return {
      kind: 'authenticated',
      peer: { key, incarnation, version, blobsPort, admission: member ? [] : presented },
      send: this.#config.role === 'responder' ? this.#prove(theirs) : [],
    }
  }
}

/** What the holder of `mine` signs: everything that both said, whose turn it was first, and who signs. */
function signedBytes(role: SessionConfig['role'], mine: FrameOf<'hello'>, other: FrameOf<'hello'>): Uint8Array {
  const said = [spoken(mine), spoken(other)]
  return Buffer.concat([CONTEXT, encodeCanonical([idBytes(mine.cluster), role, ...said])])
}

const spoken = (hello: FrameOf<'hello'>) => [
  hello.protocol,
  idBytes(hello.key),
  hello.nonce,
  hello.incarnation,
  hello.version,
  hello.blobsPort,
]

const refused = (reason: RefusalReason, detail: string): SessionStep => ({ kind: 'refused', reason, detail })
const outOfTurn = (frame: Frame) => refused('out-of-turn', `a ${frame.type} frame came out of turn`)
