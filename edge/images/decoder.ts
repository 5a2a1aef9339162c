import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, join } from 'node:path'
import type { Log, Runtime } from '../../core/index.ts'
import {
  type ConfinedOptions,
  ConfinedProcess,
  type Confinement,
  explainNoStart,
  modulesFolder,
  type EndReason as ProcessEnd,
  readHeader,
} from '../confined/index.ts'
import type { DecodeLimits, Fault } from './decode.ts'
import type { ImageShape } from './image-job.ts'
import { sniffFormat } from './sniff.ts'

export interface DecoderOptions {
  readonly limits: DecodeLimits
  /** Of a file that is decoded, and of a result; larger ones are refused before and after. */
  readonly maxInputBytes: number
  readonly maxOutputBytes: number
  /** How long each image may take to be made. */
  readonly timeoutMs: number
  /** A decoder that holds more memory is killed. */
  readonly maxMemoryBytes: number
}

export interface DecoderPorts {
  readonly runtime: Runtime
  readonly log: Log
}

/** `ended`: there is no result and the decoder is gone, by itself or because it took too much. */
export type Decoded =
  | { readonly kind: 'done'; readonly bytes: Buffer }
  | { readonly kind: 'fault'; readonly fault: Fault }
  | { readonly kind: 'ended'; readonly why: EndReason }

/** `not-started`: the system gives no more processes. */
export type EndReason = ProcessEnd | 'not-started'

const FAULTS: readonly string[] = [
  'unknown-format',
  'broken',
  'too-many-pixels',
  'too-many-frames',
  'too-large-for-format',
  'too-much-memory',
] satisfies Fault[]

/** On a machine that is busy; a decoder starts within a third of a second on one that is not. */
const START_TIMEOUT_MS = 15_000
const HERE = realpathSync(import.meta.dirname)
const EXTENSION = extname(import.meta.filename)

/** One decoding process, seen from its owner; decodes one image at a time and is thrown away after any surprise. */
export class Decoder {
  readonly pid: number
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>
  /** Results so far. */
  count = 0
  readonly #process: ConfinedProcess
  readonly #options: DecoderOptions
  readonly #ready: Promise<Confinement | undefined>

  constructor(options: DecoderOptions, ports: DecoderPorts) {
    this.#options = options
    this.#process = new ConfinedProcess(describeDecoder(options), ports.runtime)
    this.pid = this.#process.pid
    this.ended = this.#process.ended
    this.#ready = this.#process.next(START_TIMEOUT_MS).then((frame) => {
      const confinement = readHeader(frame).confinement
      if (frame === undefined) ports.log.error('images.decoder-not-started', explainNoStart(this.#process))
      if (confinement !== 'kernel' && confinement !== 'runtime') return undefined
      ports.log.info('images.decoder-started', { pid: this.pid, confinement })
      return confinement
    })
  }

  get hasEnded(): boolean {
    return this.#process.hasEnded
  }

  /** Only one at a time. Never rejects. */
  async decode(input: Uint8Array, shape: ImageShape): Promise<Decoded> {
    if ((await this.#ready) === undefined) return this.#gone()
    const { limits, timeoutMs } = this.#options
    const { width, height, fit, format, quality } = shape
    this.#process.send({ shape: { width, height, fit, format, quality }, limits }, input)
    const frame = await this.#process.next(timeoutMs)
    if (frame === undefined) return this.#gone()
    this.count++
    const { fault, done } = readHeader(frame)
    if (typeof fault === 'string' && FAULTS.includes(fault)) return { kind: 'fault', fault: fault as Fault }
    // What comes out is looked at too: whoever got hold of a decoder must not choose what is sent under this type.
    if (done === true && sniffFormat(frame.body) === format) return { kind: 'done', bytes: Buffer.from(frame.body) }
    this.#process.kill('nonsense')
    return this.#gone()
  }

  /** Ends it at once, whatever it does. */
  close(): Promise<void> {
    return this.#process.close()
  }

  #gone(): Decoded {
    return { kind: 'ended', why: this.#process.why }
  }
}

type DecoderShape = Pick<DecoderOptions, 'maxInputBytes' | 'maxOutputBytes' | 'maxMemoryBytes'>

/** The process of a decoder or, for tests, `main` in its place and under the same rules. */
export function describeDecoder(
  { maxInputBytes, maxOutputBytes, maxMemoryBytes }: DecoderShape,
  main: string = join(HERE, `decoder-main${EXTENSION}`),
): ConfinedOptions {
  const modules = modulesFolder(createRequire(import.meta.url).resolve('sharp'))
  return {
    main,
    arguments: [String(maxInputBytes), String(maxMemoryBytes)],
    readable: [HERE, modules],
    nodeOptions: ['--allow-addons'],
    maxFrameBytes: maxOutputBytes,
    maxMemoryBytes,
  }
}
