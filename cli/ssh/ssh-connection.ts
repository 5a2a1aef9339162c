import type { Duplex } from 'node:stream'
import { MakiError, type Runtime } from '../../core/index.ts'
import { SERVER_PATHS } from '../setup/index.ts'
import { ChannelStream } from './channel-stream.ts'
import { buildControlFault } from './control-faults.ts'
import type { Login } from './login.ts'
import { type Ending, feed, passSudo, processOf, type RunningProcess, readBoth } from './remote-process.ts'
import { Silence } from './silence.ts'
import { lostError } from './ssh-faults.ts'
import type { RemoteOutcome, RemoteProcess, RunOptions, SshHost, SshTarget } from './ssh-host.ts'
import { buildSudoLine } from './sudo.ts'

type FindFault = (ending: Ending) => Error | undefined

const MOST_OUTPUT_BYTES = 64 * 1024 * 1024

/** What a key bound by `command=` runs anyway, and the rest by its path. */
const STDIO_COMMAND = `${SERVER_PATHS.command} stdio`

/** A server that is logged in to; see `SshHost`. */
export class SshConnection implements SshHost {
  readonly target: SshTarget
  readonly hostKey: string
  readonly address: string
  readonly #login: Login
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #silence: Silence
  /** What ends with an error when the connection does. */
  readonly #open = new Set<(error: MakiError) => void>()
  /** Resolves when the connection is no more, for whatever reason. */
  readonly lost: Promise<void>
  #sessions = 0
  #hasOpened = false
  #waiting: (() => void)[] = []
  #lost: MakiError | undefined
  #forwards = true

  constructor(target: SshTarget, login: Login, runtime: Pick<Runtime, 'after'>) {
    this.target = target
    this.hostKey = login.hostKey
    this.address = login.address
    this.#login = login
    this.#runtime = runtime
    const { client, name, patience } = login
    let cause: unknown
    client.on('error', (error: unknown) => {
      cause ??= error
    })
    this.#silence = new Silence(login, runtime, () => {
      cause ??= new Error(`nothing came from it for ${patience.silenceMs / 1000} s`)
      login.destroy()
    })
    this.lost = new Promise((done) => {
      client.on('close', () => {
        this.#lose(lostError(name, cause))
        done()
      })
    })
  }

  async run(command: string, options: RunOptions = {}): Promise<RemoteOutcome> {
    const { answerMs, signal } = options
    if (answerMs === undefined) return await this.#run(command, options)
    const late = new AbortController()
    const cancel = this.#runtime.after(answerMs, () => late.abort(lateError(this.#login.name, answerMs)))
    try {
      return await this.#run(command, {
        ...options,
        signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]),
      })
    } finally {
      cancel()
    }
  }

  async #run(command: string, options: RunOptions): Promise<RemoteOutcome> {
    const running = await this.#start(command, options)
    // Two failures of one cause: the first is told.
    running.ended.catch(() => {})
    try {
      const [said, end] = await Promise.all([
        readBoth(running.stdio, running.stderr, MOST_OUTPUT_BYTES),
        running.ended,
        feed(running.stdio, options.input),
      ])
      return { ...said, ...end }
    } catch (error) {
      running.fail(error)
      options.signal?.throwIfAborted()
      throw this.#lost ?? error
    }
  }

  async start(command: string, options: Pick<RunOptions, 'privilege' | 'signal'> = {}): Promise<RemoteProcess> {
    return await this.#start(command, options)
  }

  async openControl(): Promise<Duplex> {
    if (this.#forwards) {
      const forwarded = await this.#forward()
      if (forwarded !== undefined) return forwarded
    }
    // Not to be asked each time where it is not allowed.
    this.#forwards = false
    const { name } = this.#login
    const { stdio } = await this.#start(STDIO_COMMAND, {}, ({ hasCarried, code, said }) =>
      hasCarried || code === 0 ? undefined : buildControlFault({ name, user: this.target.user, said, code }),
    )
    return stdio
  }

  /** Begins to end the connection; all that is open on it ends with an error. */
  close(): void {
    this.#lose(new MakiError('MAKI_UNREACHABLE', `the SSH connection to ${this.#login.name} was closed`))
    this.#login.client.end()
    // A server that is gone does not agree to the end.
    const cancel = this.#runtime.after(CLOSE_MS, () => this.#login.destroy())
    void this.lost.then(cancel)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
    await this.lost
  }

  async #start(
    command: string,
    { privilege, signal }: Pick<RunOptions, 'privilege' | 'signal'>,
    findFault?: FindFault,
  ): Promise<RunningProcess> {
    signal?.throwIfAborted()
    const isSudo = privilege !== undefined && privilege.kind !== 'root'
    const line = isSudo ? buildSudoLine(command, privilege.kind) : command
    const running = await this.#openSession(line, findFault)
    const onAbort = (): void => running.fail(signal?.reason)
    const forget = this.#own((error) => running.fail(error))
    signal?.addEventListener('abort', onAbort, { once: true })
    const over = (): void => {
      forget()
      signal?.removeEventListener('abort', onAbort)
      this.#endSession()
    }
    running.ended.then(over, over)
    if (signal?.aborted === true) onAbort()
    return isSudo ? await passSudo(running, privilege) : running
  }

  /** A channel on which a command runs; waits for another to end where the server allows no more of them (MaxSessions). */
  async #openSession(line: string, findFault: FindFault | undefined): Promise<RunningProcess> {
    let isLate = false
    const cancel = this.#runtime.after(this.#login.patience.sessionMs, () => {
      isLate = true
      this.#wake()
    })
    try {
      for (;;) {
        if (this.#lost !== undefined) throw this.#lost
        this.#sessions++
        const opened = await this.#exec(line, findFault).catch(
          (error: unknown) => error as Error & { reason?: unknown },
        )
        if (!(opened instanceof Error)) {
          this.#hasOpened = true
          return opened
        }
        this.#sessions--
        if (this.#lost !== undefined) throw this.#lost
        if (opened.reason === undefined)
          throw this.#refused(`the server does not run commands for ${this.target.user}`, opened)
        if ((!this.#hasOpened && this.#sessions === 0) || isLate)
          throw this.#refused('the server allows no more sessions on one connection (MaxSessions)', opened)
        await this.#sessionOver()
      }
    } finally {
      cancel()
    }
  }

  /** Resolves when it is worth to try again: the server counts one for a moment after it has ended here. */
  async #sessionOver(): Promise<void> {
    if (this.#sessions > 0) await new Promise<void>((done) => this.#waiting.push(done))
    else await new Promise<void>((done) => this.#runtime.after(AGAIN_MS, done))
  }

  #exec(line: string, findFault: FindFault | undefined): Promise<RunningProcess> {
    return new Promise((done, fail) => {
      try {
        this.#login.client.exec(line, (error, channel) => {
          // At once: what it says and how it ends may stand in the same packet.
          if (error) fail(error)
          else done(processOf(channel, findFault))
        })
      } catch (error) {
        fail(this.#lost ?? lostError(this.#login.name, error))
      }
    })
  }

  /** The daemon's socket through a channel of its own; undefined where the server does not open one. */
  #forward(): Promise<Duplex | undefined> {
    return new Promise((done, fail) => {
      try {
        if (this.#lost !== undefined) throw this.#lost
        this.#login.client.openssh_forwardOutStreamLocal(SERVER_PATHS.controlSocket, (error, channel) => {
          if (this.#lost !== undefined) fail(this.#lost)
          else if (error) done(undefined)
          else {
            const stream = new ChannelStream(channel)
            stream.once(
              'close',
              this.#own((lost) => stream.destroy(lost)),
            )
            done(stream)
          }
        })
      } catch (error) {
        fail(this.#lost ?? lostError(this.#login.name, error))
      }
    })
  }

  #own(end: (error: MakiError) => void): () => void {
    this.#open.add(end)
    return () => this.#open.delete(end)
  }

  #endSession(): void {
    this.#sessions--
    this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const go of waiting) go()
  }

  #lose(error: MakiError): void {
    this.#silence.stop()
    this.#lost ??= error
    const open = [...this.#open]
    this.#open.clear()
    for (const end of open) end(this.#lost)
    this.#wake()
  }

  #refused(why: string, cause: unknown): MakiError {
    return new MakiError('MAKI_UNREACHABLE', `${this.#login.name}: ${why}`, {
      cause,
      hint: 'What its sshd allows stands in /etc/ssh/sshd_config there.',
    })
  }
}

const lateError = (name: string, ms: number): MakiError =>
  new MakiError('MAKI_TIMEOUT', `${name}: a command there has not ended within ${ms / 1000} s`, {
    hint: 'Try by hand: ssh USER@HOST id. Something that its shell starts with may wait, or a disk.',
  })

const CLOSE_MS = 1_000
const AGAIN_MS = 50
