import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { getCompileCacheDir } from 'node:module'
import { dirname, extname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { asMakiError, Emitter, MakiError, type Runtime } from '../../core/index.ts'
import { NODE_ALLOCATOR, NODE_FLAGS } from '../node/index.ts'
import type { NodeLayout } from './layout.ts'
import type { LogLine } from './told-lines.ts'

export interface NodeProcessEvents {
  /** A line of its log, or of a worker's of its own. */
  logged: { readonly node: string; readonly line: LogLine }
  /** A started node listens again after it had ended. */
  recovered: { readonly node: string; readonly pid: number }
  /** The process ended though nobody told it to; another one is started after the delay. */
  died: { readonly node: string; readonly how: string; readonly lastLines: readonly string[]; readonly retryMs: number }
}

export interface NodeProcessOptions {
  readonly layout: NodeLayout
  readonly runtime: Runtime
  /** Ends a start that is not ready yet; a node that runs is ended by disposing it. */
  readonly signal: AbortSignal
  /** The program and its first arguments; the daemon unless a test says otherwise. */
  readonly command?: readonly string[]
}

const MAIN = fileURLToPath(new URL(`../makiatto${extname(import.meta.filename)}`, import.meta.url))
const DAEMON = [process.execPath, ...NODE_FLAGS, MAIN]
/** A loaded machine takes seconds for the first start; a node that needs longer hangs. */
const READY_TIMEOUT_MS = 60_000
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 10_000
/** A node that lived this long was healthy; the next retry starts small again. */
const HEALTHY_MS = 30_000
/** How long a node may take to end what is under way before it is killed. */
const STOP_MS = 3000
const KEPT_LINES = 100
const SHOWN_LINES = 8
const MAX_LINE_LENGTH = 2000
const TIMED_OUT = 'timed out'

interface Running {
  readonly child: ChildProcess
  readonly startedAtMs: number
  /** Resolves when the process has ended, with how. */
  readonly ended: Promise<string>
}

/**
 * One node of the local cluster, as a process in a group of its own: an interrupt from the terminal reaches only
 * `maki dev`, which ends the nodes in order. The node ends by itself when our end of its standard input closes, so none
 * outlives a `maki dev` that was killed. One that ends is started again.
 */
export class NodeProcess implements AsyncDisposable {
  readonly events = new Emitter<NodeProcessEvents>()
  readonly layout: NodeLayout
  readonly #options: NodeProcessOptions
  readonly #lines: string[] = []
  readonly #logFile: number
  /** Groups of processes that ended while others of their group (edge workers) went on serving. */
  readonly #orphanedGroups = new Set<number>()
  #running: Running | undefined
  #cancelRetry: (() => void) | undefined
  #stopping = false

  private constructor(options: NodeProcessOptions) {
    this.#options = options
    this.layout = options.layout
    this.#logFile = openSync(options.layout.log, 'w', 0o600)
  }

  /** Resolves when the node listens; throws MAKI_INTERNAL or MAKI_TIMEOUT with its last words when it does not get there. */
  static async start(options: NodeProcessOptions): Promise<NodeProcess> {
    const node = new NodeProcess(options)
    try {
      await node.#launch()
    } catch (error) {
      await node[Symbol.asyncDispose]()
      throw error
    }
    return node
  }

  /** Of the present process; undefined while there is none. */
  get pid(): number | undefined {
    return this.#running?.child.pid
  }

  /** Ends the node: asks first, kills after a while. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    this.#cancelRetry?.()
    const running = this.#running
    if (running !== undefined) {
      running.child.kill('SIGTERM')
      const cancel = this.#options.runtime.after(STOP_MS, () => killGroup(running.child.pid))
      await running.ended
      cancel()
      killGroup(running.child.pid)
    }
    this.#killOrphans()
    closeSync(this.#logFile)
  }

  async #launch(retryMs = FIRST_RETRY_MS): Promise<void> {
    const { layout, runtime, signal } = this.#options
    const [command, ...args] = [
      ...(this.#options.command ?? DAEMON),
      'run',
      '--config',
      layout.config,
      '--no-wireguard',
    ]
    const child = spawn(command as string, args, {
      detached: true,
      env: { ...process.env, ...compileCache(), ...NODE_ALLOCATOR, MAKIATTO_EXIT_WITH_STDIN: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    // A node that is gone does not read what we never write.
    child.stdin.on('error', () => {})
    const ready = Promise.withResolvers<void>()
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#keep(line)
      const logged = findLogLine(line)
      if (logged === undefined) return
      if (logged.event === 'node.ready') ready.resolve()
      if (!this.#stopping) this.events.emit('logged', { node: layout.name, line: logged })
    })
    createInterface({ input: child.stderr }).on('line', (line) => this.#keep(line))
    const ended = new Promise<string>((done) => {
      child.once('error', (error) => done(asMakiError(error).message))
      child.once('exit', (code, signal) => done(signal ?? `exit code ${code}`))
    })
    const running: Running = { child, startedAtMs: runtime.monotonic(), ended }
    this.#running = running
    const given = Promise.withResolvers<string>()
    const cancel = runtime.after(READY_TIMEOUT_MS, () => given.resolve(TIMED_OUT))
    const onAbort = (): void => given.resolve('interrupted')
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    const failed = await Promise.race([ready.promise, ended, given.promise])
    cancel()
    signal.removeEventListener('abort', onAbort)
    if (failed !== undefined) {
      killGroup(child.pid)
      await ended
      this.#running = undefined
      throw this.#startError(failed)
    }
    this.#killOrphans()
    void ended.then((how) => this.#onEnd(running, how, retryMs))
  }

  #onEnd({ child, startedAtMs }: Running, how: string, retryMs: number): void {
    this.#running = undefined
    if (this.#stopping) return
    if (child.pid !== undefined && isGroupAlive(child.pid)) this.#orphanedGroups.add(child.pid)
    const wasHealthy = this.#options.runtime.monotonic() - startedAtMs > HEALTHY_MS
    this.#retry(how, wasHealthy ? FIRST_RETRY_MS : retryMs)
  }

  #retry(how: string, retryMs: number): void {
    const { layout, runtime } = this.#options
    this.events.emit('died', { node: layout.name, how, lastLines: this.#lines.slice(-SHOWN_LINES), retryMs })
    const nextMs = Math.min(retryMs * 2, LAST_RETRY_MS)
    this.#cancelRetry = runtime.after(retryMs, () => {
      if (this.#stopping) return
      this.#launch(nextMs).then(
        () => this.events.emit('recovered', { node: layout.name, pid: this.pid ?? 0 }),
        (error) => {
          if (!this.#stopping) this.#retry(asMakiError(error).message.split('\n')[0] ?? '', nextMs)
        },
      )
    })
  }

  /** A node that listens again has workers of its own; those that a killed one left are of no more use. */
  #killOrphans(): void {
    for (const group of this.#orphanedGroups) killGroup(group)
    this.#orphanedGroups.clear()
  }

  #keep(line: string): void {
    if (!this.#stopping) writeSync(this.#logFile, `${line}\n`)
    this.#lines.push(line.slice(0, MAX_LINE_LENGTH))
    if (this.#lines.length > KEPT_LINES) this.#lines.shift()
  }

  #startError(how: string): MakiError {
    const { name, log } = this.#options.layout
    const words = this.#lines.slice(-SHOWN_LINES).map((line) => `\n  ${line}`)
    const hint = `Its whole log is ${log}`
    if (how === TIMED_OUT) {
      const seconds = READY_TIMEOUT_MS / 1000
      return new MakiError(
        'MAKI_TIMEOUT',
        `${name} was not ready within ${seconds} s. Its last words:${words.join('')}`,
        { hint },
      )
    }
    return new MakiError('MAKI_INTERNAL', `${name} did not start (${how}). Its last words:${words.join('')}`, { hint })
  }
}

/** A node takes over the compiled modules of `maki`: it starts sooner, and does not have to load what strips the types. */
function compileCache(): Record<string, string> {
  const directory = getCompileCacheDir()
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: dirname(directory) }
}

/** Undefined for a line of another kind. */
function findLogLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return undefined
  }
}

function isGroupAlive(pid: number): boolean {
  try {
    process.kill(-pid, 0)
    return true
  } catch {
    return false
  }
}

/** Kills a process group that was started here; silent when it is gone. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}
