import type { Runtime } from '../../core/index.ts'
import type { Machine } from '../config/index.ts'
import { connectSsh, KeyRing, type KeyRingOptions, parseSshTarget, type SshConnection } from '../ssh/index.ts'

/** How machines are connected to. */
export interface SshLinesOptions extends Omit<KeyRingOptions, 'env' | 'ask' | 'askSecret'> {
  readonly host: Pick<KeyRingOptions, 'env' | 'ask' | 'askSecret'> & { readonly signal: AbortSignal }
  /** Of a command that connects in other ways, too, so that a passphrase is asked for once; else one is made of the rest. */
  readonly keyRing?: KeyRing | undefined
  readonly onNote: (text: string) => void
  /** Told the key of a machine that has no pinned one, and waited for; never rejects. */
  readonly onFirstKey: (machine: Machine, hostKey: string) => Promise<void>
}

/** A connection that is used, until it is released. */
export interface TakenLine {
  readonly host: SshConnection
  release(): void
}

interface Line {
  readonly connecting: Promise<SshConnection>
  readonly ending: AbortController
  users: number
  isLost: boolean
}

/** One SSH connection to each machine, shared by all who want one, ended with the last of them. */
export class SshLines {
  readonly #runtime: Pick<Runtime, 'after' | 'monotonic'>
  readonly #options: SshLinesOptions
  readonly #keyRing: KeyRing
  readonly #lines = new Map<string, Line>()

  constructor(runtime: Pick<Runtime, 'after' | 'monotonic'>, options: SshLinesOptions) {
    this.#runtime = runtime
    this.#options = options
    this.#keyRing = options.keyRing ?? new KeyRing({ ...options, ...options.host })
  }

  /** Throws as `connectSsh`, and the reason of the signal. */
  async take(machine: Machine & { readonly sshTarget: string }, signal?: AbortSignal): Promise<TakenLine> {
    signal?.throwIfAborted()
    const line = this.#find(machine)
    line.users++
    let isReleased = false
    const release = (): void => {
      if (isReleased) return
      isReleased = true
      if (--line.users === 0) this.#end(machine.name, line)
    }
    try {
      return { host: await orAborted(line.connecting, signal), release }
    } catch (error) {
      release()
      throw error
    }
  }

  #find(machine: Machine & { readonly sshTarget: string }): Line {
    const known = this.#lines.get(machine.name)
    if (known !== undefined && !known.isLost) return known
    const ending = new AbortController()
    const line: Line = { connecting: this.#connect(machine, ending.signal), ending, users: 0, isLost: false }
    line.connecting.then(
      (host) =>
        host.lost.then(() => {
          line.isLost = true
        }),
      () => {
        line.isLost = true
      },
    )
    this.#lines.set(machine.name, line)
    return line
  }

  async #connect(machine: Machine & { readonly sshTarget: string }, ending: AbortSignal): Promise<SshConnection> {
    const { host, onNote, onFirstKey } = this.#options
    const connection = await connectSsh({
      target: parseSshTarget(machine.sshTarget, machine.port),
      name: machine.name,
      hostKey: machine.hostKey,
      firstUse: 'require',
      env: host.env,
      runtime: this.#runtime,
      signal: AbortSignal.any([host.signal, ending]),
      onNote,
      keyRing: this.#keyRing,
    })
    if (machine.hostKey === undefined) await onFirstKey(machine, connection.hostKey)
    return connection
  }

  #end(name: string, line: Line): void {
    if (this.#lines.get(name) === line) this.#lines.delete(name)
    line.ending.abort()
    line.connecting.then(
      (host) => host.close(),
      () => {},
    )
  }
}

async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
