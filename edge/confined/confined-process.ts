import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setPriority } from 'node:os'
import { dirname, extname, join } from 'node:path'
import type { Cancel, Runtime } from '../../core/index.ts'
import { encodeHead, type Frame, FrameReader } from './frames.ts'

export interface ConfinedOptions {
  /** The program: an absolute path of ours. */
  readonly main: string
  /** What it is told, before how it may be confined (`kernel` or `runtime`). */
  readonly arguments: readonly string[]
  /** Files and folders that it may read until it confines itself. */
  readonly readable: readonly string[]
  /** Further options of Node, such as `--allow-addons`. */
  readonly nodeOptions?: readonly string[]
  /** Of the body of one frame. */
  readonly maxFrameBytes: number
  /** Of its header; 4 KiB where nothing is said. */
  readonly maxHeaderBytes?: number
  /** A process that holds more memory is killed. */
  readonly maxMemoryBytes: number
}

/** Why a process is gone. `nonsense`: it said what no program of ours says. */
export type EndReason = 'died' | 'timeout' | 'memory' | 'nonsense' | 'closed'

/** Between two looks at its memory: a process that allocates as fast as it can gets some 100 MB further. */
const WATCH_MS = 40
const PAGE_BYTES = 4096
/** Who is served first when there are more than there are cores: whoever asks for files. */
const NICENESS = 5
const HERE = realpathSync(import.meta.dirname)
const EXTENSION = extname(import.meta.filename)

/**
 * A disposable process of ours that works on strangers' bytes, seen from its owner: they exchange frames over its standard
 * input and output. It has no environment and no descriptor of ours, and is killed when it takes too long or too much. While
 * the owner waits for frames its memory is watched; at rest it is not.
 */
export class ConfinedProcess {
  readonly pid: number
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>
  readonly #child: ChildProcess
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #frames: Frame[] = []
  #maxMemoryBytes: number
  readonly #maxWaitingBytes: number
  #settle: ((frame: Frame | undefined) => void) | undefined
  #why: EndReason | undefined
  #hasEnded = false
  #signal: NodeJS.Signals | undefined
  #cancelWatch: Cancel | undefined

  constructor(options: ConfinedOptions, runtime: Pick<Runtime, 'after'>) {
    this.#runtime = runtime
    this.#maxMemoryBytes = options.maxMemoryBytes
    // An answer, and a few words behind it.
    this.#maxWaitingBytes = 2 * options.maxFrameBytes
    const child = spawn(process.execPath, confinedArguments(options), {
      env: {},
      cwd: '/',
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    this.#child = child
    this.pid = child.pid ?? -1
    lower(this.pid)
    const reader = new FrameReader(options.maxFrameBytes, options.maxHeaderBytes)
    child.stdin!.on('error', () => {})
    child.stdout!.on('data', (piece: Buffer) => {
      if (this.#why !== undefined) return
      try {
        for (const frame of reader.push(piece)) {
          this.#take(frame)
          if (this.#why !== undefined) return
        }
      } catch {
        this.kill('nonsense')
      }
    })
    this.ended = new Promise((resolve) => {
      const end = () => {
        this.#hasEnded = true
        this.#cancelWatch?.()
        this.#settle?.(undefined)
        resolve()
      }
      child.on('exit', (_code, signal) => {
        this.#signal = signal ?? undefined
        end()
      })
      child.on('error', end)
    })
  }

  /** It is gone, or about to be. */
  get hasEnded(): boolean {
    return this.#hasEnded || this.#why !== undefined
  }

  /** Why it was ended by us; `died` where it was not. */
  get why(): EndReason {
    return this.#why ?? 'died'
  }

  /** What ended it: a signal of its own doing, of the system's or of ours; undefined where it exited, or has not ended. */
  get signal(): NodeJS.Signals | undefined {
    return this.#signal
  }

  send(header: unknown, body?: Uint8Array): void {
    const head = encodeHead(header, body?.length ?? 0)
    const stdin = this.#child.stdin!
    if (body === undefined || body.length === 0) stdin.write(head)
    // One call of the system, and one time to wake up for who waits.
    else if (body.length <= TOGETHER_BYTES) stdin.write(Buffer.concat([head, body]))
    else {
      stdin.write(head)
      stdin.write(body)
    }
  }

  /** Resolves when what was sent is in the hands of the system, or the process has ended. */
  async drained(): Promise<void> {
    const stdin = this.#child.stdin!
    if (!stdin.writableNeedDrain || this.#hasEnded) return
    const { promise, resolve } = Promise.withResolvers<void>()
    stdin.once('drain', resolve)
    await Promise.race([promise, this.ended])
    stdin.off('drain', resolve)
  }

  /**
   * The next frame, or undefined when the process ended or had to be: it is killed after `mostMs`. Who waits must be alone.
   */
  async next(mostMs: number): Promise<Frame | undefined> {
    const waiting = this.#frames.shift()
    if (waiting !== undefined) return waiting
    if (this.#hasEnded) return undefined
    const cancelTimeout = this.#runtime.after(mostMs, () => this.kill('timeout'))
    // It goes on over frames: who says something all the time is looked at all the same.
    this.#cancelWatch ??= this.#watch()
    try {
      return await new Promise((resolve) => {
        this.#settle = resolve
      })
    } finally {
      this.#settle = undefined
      cancelTimeout()
    }
  }

  /** A process that holds more from now on is killed. */
  limitMemory(maxMemoryBytes: number): void {
    this.#maxMemoryBytes = maxMemoryBytes
  }

  /** What it holds; undefined where nobody can say. */
  memoryBytes(): Promise<number | undefined> {
    return readMemory(this.pid)
  }

  /** The first reason counts. */
  kill(why: EndReason): void {
    if (this.#hasEnded) return
    this.#why ??= why
    this.#child.kill('SIGKILL')
  }

  /** Ends it at once, whatever it does. */
  async close(): Promise<void> {
    this.kill('closed')
    await this.ended
  }

  #take(frame: Frame): void {
    const settle = this.#settle
    if (settle === undefined) {
      // Nobody has to say more than a few words unasked.
      const bytes = this.#frames.reduce((sum, { body }) => sum + body.length, frame.body.length)
      if (this.#frames.length >= MAX_UNASKED || bytes > this.#maxWaitingBytes) this.kill('nonsense')
      else this.#frames.push(frame)
      return
    }
    this.#settle = undefined
    settle(frame)
  }

  /** Looks once, and again as long as somebody waits for it. */
  #watch(): Cancel {
    return this.#runtime.after(WATCH_MS, async () => {
      const bytes = await readMemory(this.pid)
      this.#cancelWatch = undefined
      if (this.#hasEnded || bytes === undefined) return
      if (bytes > this.#maxMemoryBytes) this.kill('memory')
      else if (this.#settle !== undefined) this.#cancelWatch = this.#watch()
    })
  }
}

const MAX_UNASKED = 64
const TOGETHER_BYTES = 64 * 1024

/** For the log, where a process ended before it said a word: what of the system it is that does not let it start. */
export function explainNoStart({ signal, why }: Pick<ConfinedProcess, 'signal' | 'why'>): Record<string, unknown> {
  if (signal !== 'SIGSYS') return { why, signal }
  return {
    why,
    signal,
    hint: 'Add seccomp to SystemCallFilter in the unit of the daemon: by it processes are confined.',
  }
}

/** The members of a frame's header; none where it is no table. */
export function readHeader(frame: Frame | undefined): Record<string, unknown> {
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

/** The arguments that Node becomes such a process with. */
export function confinedArguments({
  main,
  arguments: args,
  readable,
  nodeOptions = [],
}: Pick<ConfinedOptions, 'main' | 'arguments' | 'readable' | 'nodeOptions'>): string[] {
  const folder = dirname(main)
  // A package by the way that Node looks for it, which may lead over a link.
  const around = ancestors(folder).flatMap((each) => [join(each, 'node_modules'), join(each, 'package.json')])
  const files = [HERE, folder, ...readable, ...around.filter((path) => existsSync(path)), '/proc/self/status']
  const quiet = ['--disable-warning=ExperimentalWarning', '--disable-warning=SecurityWarning']
  return [
    ...quiet,
    join(HERE, `confined-start${EXTENSION}`),
    ...quiet,
    '--permission',
    '--allow-ffi',
    ...nodeOptions,
    ...[...new Set(files)].map((path) => `--allow-fs-read=${path}`),
    main,
    ...args,
  ]
}

/** The folder that a package and its dependencies were installed in. */
export function modulesFolder(resolvedFile: string): string {
  const real = realpathSync(resolvedFile)
  return real.slice(0, real.lastIndexOf('node_modules') + 'node_modules'.length)
}

function ancestors(folder: string): string[] {
  const parent = dirname(folder)
  return parent === folder ? [folder] : [folder, ...ancestors(parent)]
}
