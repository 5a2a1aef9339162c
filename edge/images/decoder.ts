import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { setPriority } from 'node:os'
import { dirname, extname, join } from 'node:path'
import type { Log, Runtime } from '../../core/index.ts'
import type { Confinement } from './confine.ts'
import type { DecodeLimits, Fault } from './decode.ts'
import { encodeHead, type Frame, FrameReader } from './frames.ts'
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

export type EndReason = 'died' | 'timeout' | 'memory' | 'nonsense' | 'closed' | 'not-started'

const FAULTS: readonly string[] = [
  'unknown-format',
  'broken',
  'too-many-pixels',
  'too-many-frames',
  'too-large-for-format',
  'too-much-memory',
] satisfies Fault[]

/** Between two looks at its memory: a decoder that allocates as fast as it can gets some 100 MB further. */
const WATCH_MS = 40
/** On a machine that is busy; a decoder starts within a third of a second on one that is not. */
const START_TIMEOUT_MS = 15_000
const PAGE_BYTES = 4096
/** Who is served first when there are more than there are cores: whoever asks for files. */
const NICENESS = 5
const HERE = realpathSync(import.meta.dirname)
const EXTENSION = extname(import.meta.filename)

/** One decoding process, seen from its owner; decodes one image at a time and is thrown away after any surprise. */
export class Decoder {
  readonly pid: number
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>
  /** Results so far. */
  count = 0
  readonly #child: ChildProcess
  readonly #options: DecoderOptions
  readonly #ports: DecoderPorts
  readonly #ready: Promise<Confinement | undefined>
  #settle: ((frame: Frame | undefined) => void) | undefined
  #why: EndReason | undefined
  #hasEnded = false

  constructor(options: DecoderOptions, ports: DecoderPorts) {
    this.#options = options
    this.#ports = ports
    // Nothing of ours is in its environment, its working directory or its descriptors.
    const child = spawn(process.execPath, decoderArguments(options), {
      env: {},
      cwd: '/',
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    this.#child = child
    this.pid = child.pid ?? -1
    lower(this.pid)
    const reader = new FrameReader(options.maxOutputBytes)
    child.stdin!.on('error', () => {})
    child.stdout!.on('data', (piece: Buffer) => {
      try {
        for (const frame of reader.push(piece)) this.#settle?.(frame)
      } catch {
        this.#kill('nonsense')
      }
    })
    this.ended = new Promise((resolve) => {
      const end = () => {
        this.#hasEnded = true
        this.#settle?.(undefined)
        resolve()
      }
      child.on('exit', end)
      child.on('error', end)
    })
    this.#ready = this.#await(START_TIMEOUT_MS).then((frame) => {
      const confinement = readHeader(frame).confinement
      if (confinement !== 'kernel' && confinement !== 'runtime') return undefined
      ports.log.info('images.decoder-started', { pid: this.pid, confinement })
      return confinement
    })
  }

  get hasEnded(): boolean {
    return this.#hasEnded || this.#why !== undefined
  }

  /** Only one at a time. Never rejects. */
  async decode(input: Uint8Array, shape: ImageShape): Promise<Decoded> {
    if ((await this.#ready) === undefined) return this.#gone()
    const { limits } = this.#options
    const { width, height, fit, format, quality } = shape
    const header = { shape: { width, height, fit, format, quality }, limits }
    this.#child.stdin!.write(encodeHead(header, input.length))
    this.#child.stdin!.write(input)
    const frame = await this.#await(this.#options.timeoutMs)
    if (frame === undefined) return this.#gone()
    this.count++
    const { fault, done } = readHeader(frame)
    if (typeof fault === 'string' && FAULTS.includes(fault)) return { kind: 'fault', fault: fault as Fault }
    // What comes out is looked at too: whoever got hold of a decoder must not choose what is sent under this type.
    if (done === true && sniffFormat(frame.body) === format) return { kind: 'done', bytes: Buffer.from(frame.body) }
    this.#kill('nonsense')
    return this.#gone()
  }

  /** Ends it at once, whatever it does. */
  async close(): Promise<void> {
    this.#kill('closed')
    await this.ended
  }

  /** The next frame, or undefined when the process ended or had to be. */
  async #await(mostMs: number): Promise<Frame | undefined> {
    if (this.#hasEnded) return undefined
    const cancelTimeout = this.#ports.runtime.after(mostMs, () => this.#kill('timeout'))
    const cancelWatch = this.#watch()
    try {
      return await new Promise((resolve) => {
        this.#settle = resolve
      })
    } finally {
      this.#settle = undefined
      cancelTimeout()
      cancelWatch()
    }
  }

  #watch(): () => void {
    const { runtime } = this.#ports
    let cancel = (): void => {}
    let stopped = false
    const look = async (): Promise<void> => {
      const bytes = await readMemory(this.pid)
      if (stopped || bytes === undefined) return
      if (bytes > this.#options.maxMemoryBytes) this.#kill('memory')
      else cancel = runtime.after(WATCH_MS, look)
    }
    cancel = runtime.after(WATCH_MS, look)
    return () => {
      stopped = true
      cancel()
    }
  }

  #kill(why: EndReason): void {
    if (this.#hasEnded) return
    this.#why ??= why
    this.#child.kill('SIGKILL')
  }

  #gone(): Decoded {
    return { kind: 'ended', why: this.#why ?? 'died' }
  }
}

function readHeader(frame: Frame | undefined): Record<string, unknown> {
  const header = frame?.header
  return typeof header === 'object' && header !== null ? { ...header } : {}
}

/** Resident memory of a process in bytes; undefined where it is gone, or the system does not tell. */
async function readMemory(pid: number): Promise<number | undefined> {
  try {
    const [, pages] = (await readFile(`/proc/${pid}/statm`, 'latin1')).split(' ')
    return Number(pages) * PAGE_BYTES
  } catch {
    return undefined
  }
}

function lower(pid: number): void {
  try {
    setPriority(pid, NICENESS)
  } catch {
    // It is gone already, which shows elsewhere.
  }
}

/** The arguments that Node becomes a decoder with, or, for tests, `main` in its place and under the same rules. */
export function decoderArguments(
  { maxInputBytes, maxMemoryBytes }: Pick<DecoderOptions, 'maxInputBytes' | 'maxMemoryBytes'>,
  main: string = join(HERE, `decoder-main${EXTENSION}`),
): string[] {
  const sharp = realpathSync(createRequire(import.meta.url).resolve('sharp'))
  const modules = sharp.slice(0, sharp.lastIndexOf('node_modules') + 'node_modules'.length)
  // By the way that Node looks for it, too, which may lead over a link.
  const around = ancestors(HERE).flatMap((folder) => [join(folder, 'node_modules'), join(folder, 'package.json')])
  const readable = [HERE, dirname(main), modules, ...around.filter((path) => existsSync(path)), '/proc/self/status']
  const quiet = ['--disable-warning=ExperimentalWarning', '--disable-warning=SecurityWarning']
  return [
    ...quiet,
    join(HERE, `decoder-start${EXTENSION}`),
    ...quiet,
    '--permission',
    '--allow-addons',
    '--allow-ffi',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    main,
    String(maxInputBytes),
    String(maxMemoryBytes),
  ]
}

function ancestors(folder: string): string[] {
  const parent = dirname(folder)
  return parent === folder ? [folder] : [folder, ...ancestors(parent)]
}
