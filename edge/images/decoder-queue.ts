import type { Fault } from './decode.ts'
import { type Decoded, Decoder, type DecoderOptions, type DecoderPorts } from './decoder.ts'
import type { ImageShape } from './image-job.ts'

export interface QueueOptions extends DecoderOptions {
  /** Decoders of this process: images that are made at once. */
  readonly decoders: number
  /** Images that may wait for one; further ones are refused. */
  readonly maxWaiting: number
  /** A decoder is replaced after so many images: what leaks in it does not grow for ever. */
  readonly imagesPerDecoder: number
  /** One that has nothing to do for so long is ended, and gives its memory back. */
  readonly idleMs: number
}

const STUMBLED: readonly Fault[] = ['broken', 'too-much-memory']

interface Waiting {
  readonly read: () => Promise<Uint8Array>
  readonly shape: ImageShape
  readonly resolve: (decoded: Decoded) => void
  readonly reject: (error: unknown) => void
}

/** Hands images to decoders in the order in which they came, and starts decoders as they are needed. */
export class DecoderQueue implements AsyncDisposable {
  readonly #options: QueueOptions
  readonly #ports: DecoderPorts
  readonly #waiting: Waiting[] = []
  readonly #idle: { decoder: Decoder; cancel: () => void }[] = []
  readonly #all = new Set<Decoder>()
  #busy = 0
  #closed = false

  constructor(options: QueueOptions, ports: DecoderPorts) {
    this.#options = options
    this.#ports = ports
  }

  get isFull(): boolean {
    return this.#closed || this.#waiting.length >= this.#options.maxWaiting
  }

  /** Process ids of the decoders that run. */
  get pids(): number[] {
    return [...this.#all].map(({ pid }) => pid)
  }

  /** Resolves with what became of it, and rejects only with what `read` throws, which is called when its turn has come. */
  decode(read: () => Promise<Uint8Array>, shape: ImageShape): Promise<Decoded> {
    if (this.isFull) return Promise.resolve({ kind: 'ended', why: 'closed' })
    return new Promise((resolve, reject) => {
      this.#waiting.push({ read, shape, resolve, reject })
      this.#next()
    })
  }

  /** Ends all decoders; what waits ends with them. */
  async close(): Promise<void> {
    this.#closed = true
    for (const { resolve } of this.#waiting.splice(0)) resolve({ kind: 'ended', why: 'closed' })
    for (const { cancel } of this.#idle.splice(0)) cancel()
    await Promise.all([...this.#all].map((decoder) => decoder.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #next(): void {
    if (this.#busy >= this.#options.decoders) return
    const first = this.#waiting.shift()
    if (first === undefined) return
    this.#busy++
    void this.#work(first).finally(() => {
      this.#busy--
      this.#next()
    })
  }

  async #work({ read, shape, resolve, reject }: Waiting): Promise<void> {
    try {
      const input = await read()
      let decoded = await this.#try(input, shape)
      // Somebody else may have ended it: the image gets a second chance, unless it was the reason.
      if (decoded.kind === 'ended' && decoded.why === 'died') decoded = await this.#try(input, shape)
      resolve(decoded)
    } catch (error) {
      reject(error)
    }
  }

  async #try(input: Uint8Array, shape: ImageShape): Promise<Decoded> {
    if (this.#closed) return { kind: 'ended', why: 'closed' }
    const decoder = this.#takeOrNone()
    if (decoder === undefined) return { kind: 'ended', why: 'not-started' }
    const decoded = await decoder.decode(input, shape)
    if (decoded.kind === 'ended')
      this.#ports.log.warn('images.decoder-ended', { pid: decoder.pid, why: decoded.why, count: decoder.count })
    // After bytes that a library stumbled over, its memory is not trusted with the next visitor's image.
    const stumbled = decoded.kind === 'ended' || (decoded.kind === 'fault' && STUMBLED.includes(decoded.fault))
    const spent = stumbled || decoder.count >= this.#options.imagesPerDecoder
    if (spent || this.#closed) void decoder.close()
    else this.#rest(decoder)
    return decoded
  }

  /** Undefined where the system gives no more processes or files: that is no fault of the image. */
  #takeOrNone(): Decoder | undefined {
    try {
      return this.#take()
    } catch (error) {
      this.#ports.log.error('images.decoder-not-started', { error })
      return undefined
    }
  }

  #take(): Decoder {
    for (let rested = this.#idle.pop(); rested !== undefined; rested = this.#idle.pop()) {
      rested.cancel()
      if (!rested.decoder.hasEnded) return rested.decoder
    }
    const decoder = new Decoder(this.#options, this.#ports)
    this.#all.add(decoder)
    void decoder.ended.then(() => this.#all.delete(decoder))
    return decoder
  }

  #rest(decoder: Decoder): void {
    const cancel = this.#ports.runtime.after(this.#options.idleMs, () => {
      const at = this.#idle.findIndex((rested) => rested.decoder === decoder)
      if (at !== -1) this.#idle.splice(at, 1)
      void decoder.close()
    })
    this.#idle.push({ decoder, cancel })
  }
}
