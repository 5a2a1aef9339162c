import ssh2, { type Client, type ConnectConfig } from 'ssh2'
import { asMakiError, MakiError } from '../../core/index.ts'
import { dial } from './dial.ts'
import {
  formatFingerprint,
  formatHostKey,
  type HostKey,
  judgeHostKey,
  orderHostKeyAlgorithms,
  parseHostKey,
  readHostKey,
} from './host-key.ts'
import { KeyRing } from './key-ring.ts'
import { readKnownKeys } from './known-hosts.ts'
import { Proof } from './prove.ts'
import { explainLogin, explainRefusal, explainVerdict } from './ssh-faults.ts'
import { PATIENCE, type Patience, type SshOptions } from './ssh-options.ts'
import { formatSshTarget } from './target.ts'

/** `keyRing`: of a command that connects more than once, so that a passphrase is asked for once. */
export interface LoginOptions extends SshOptions {
  readonly keyRing?: KeyRing | undefined
}

/** A connection on which we are logged in. */
export interface Login {
  readonly client: Client
  /** Type and base64. */
  readonly hostKey: string
  readonly address: string
  readonly name: string
  readonly patience: Patience
  /** Grows with everything that comes from the server. */
  bytesRead(): number
  /** Ends the connection without a word. */
  destroy(): void
}

/** Connects, checks whom we speak with, and proves who we are. Closes what it opened where that fails. See `connectSsh`. */
export async function logIn(options: LoginOptions): Promise<Login> {
  const { target, env, signal, runtime } = options
  const name = options.name ?? formatSshTarget(target)
  const patience = { ...PATIENCE, ...options.patience }
  const keyRing = options.keyRing ?? new KeyRing(options)
  const pinned = options.hostKey === undefined ? undefined : parseHostKey(options.hostKey)
  const known = await readKnownKeys(env, target.host, target.port)
  const { socket, address } = await dial({ target, name, runtime, signal, patience })
  const client = new ssh2.Client()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const clock = new LoginClock(options.runtime, patience.loginMs, () =>
    reject(
      new MakiError('MAKI_UNREACHABLE', `${name} let nobody in within ${patience.loginMs / 1000} s over SSH`, {
        hint: 'The server may be busy, or something else answers on this port.',
      }),
    ),
  )
  const proof = new Proof({ keyRing, user: target.user, onAsking: (isAsking) => clock.pause(isAsking) })
  let shown: HostKey | undefined
  let fault: MakiError | undefined
  let failure: (Error & { level?: string }) | undefined
  // What was waited for may come after the end, and ssh2 does not look.
  let isOver = false

  const check = async (blob: Buffer): Promise<boolean> => {
    const offered = readHostKey(blob)
    if (offered === undefined) return false
    // Asked again whenever keys are exchanged anew: one connection has one server.
    if (shown !== undefined) return Buffer.compare(shown.blob, offered.blob) === 0
    const verdict = judgeHostKey(offered, pinned, known)
    fault = explainVerdict(name, offered, verdict, pinned !== undefined)
    if (fault !== undefined) return false
    if (verdict.kind === 'unknown') {
      clock.pause(true)
      const answer = await askFirstUse(options, keyRing, name, offered).finally(() => clock.pause(false))
      if (answer !== undefined) fault = answer
      if (fault !== undefined) return false
    }
    shown = offered
    return true
  }

  const config: ConnectConfig = {
    sock: socket,
    username: target.user,
    readyTimeout: 0,
    // Death is seen by what comes; see SshConnection.
    keepaliveInterval: Math.ceil(patience.silenceMs / 5),
    keepaliveCountMax: 1_000_000,
    algorithms: {
      serverHostKey: orderHostKeyAlgorithms(pinned === undefined ? known.keys : [pinned]) as never,
      compress: ['none'],
    },
    hostVerifier: (blob: Buffer, verify: (isTaken: boolean) => void) => {
      void check(blob)
        .catch((thrown: unknown) => {
          fault = asMakiError(thrown)
          return false
        })
        .then((isTaken) => {
          if (!isOver) verify(isTaken)
        })
    },
    authHandler: ((_left: unknown, _partial: unknown, next: (method: unknown) => void) => {
      void proof.next().then((method) => {
        if (!isOver) next(method)
      })
    }) as never,
  }
  client.on('error', (error: Error & { level?: string }) => {
    // An agent that does not sign is a key that is not taken.
    if (error.level !== 'agent') failure ??= error
  })
  client.on('ready', () => resolve())
  client.on('end', () => {
    isOver = true
  })
  client.on('close', () => {
    isOver = true
    reject(
      fault ??
        proof.fault ??
        (shown !== undefined && (failure?.level === 'client-authentication' || proof.outcomes.length > 0)
          ? explainRefusal(
              name,
              target.user,
              proof.outcomes,
              failure?.level === undefined ? failure?.message : undefined,
            )
          : explainLogin(name, failure)),
    )
  })
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    client.connect(config)
    await promise
    signal.throwIfAborted()
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    clock.stop()
    signal.removeEventListener('abort', onAbort)
  }
  return {
    client,
    hostKey: formatHostKey(shown as unknown as HostKey),
    address,
    name,
    patience,
    bytesRead: () => socket.bytesRead,
    destroy: () => void socket.destroy(),
  }
}

/** Why a server that is new is not taken; undefined where it is. */
async function askFirstUse(
  { firstUse, onNote, target, signal }: SshOptions,
  { questions }: KeyRing,
  name: string,
  offered: HostKey,
): Promise<MakiError | undefined> {
  const shown = `${offered.type} ${formatFingerprint(offered)}`
  const compare = `Compare with what the server's console says: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`
  const refuse = (message: string): MakiError =>
    new MakiError('MAKI_USAGE', message, {
      hint: `${compare}\nand put it into the profile: host_key = "${formatHostKey(offered)}"`,
    })
  if (firstUse !== 'take' && questions.ask !== undefined) {
    const answer = await questions.ask(
      `${name} is new here; its host key is ${shown}\n${compare}\nIs it the same? [y/N] `,
    )
    signal.throwIfAborted()
    return /^\s*y(es)?\s*$/i.test(answer) ? undefined : refuse(`the host key of ${name} was not taken: ${shown}`)
  }
  if (firstUse === 'require')
    return refuse(`the host key of ${name} is not known here, and there is no terminal to ask on: ${shown}`)
  onNote(`${name} is new here (${target.host}); its host key is ${shown}`)
  return undefined
}

/** Time that stands still while a person is asked. */
class LoginClock {
  readonly #runtime: SshOptions['runtime']
  readonly #onTimeUp: () => void
  #leftMs: number
  #sinceMs = 0
  #asking = 0
  #cancel: (() => void) | undefined

  constructor(runtime: SshOptions['runtime'], ms: number, onTimeUp: () => void) {
    this.#runtime = runtime
    this.#leftMs = ms
    this.#onTimeUp = onTimeUp
    this.#run()
  }

  pause(isAsking: boolean): void {
    this.#asking += isAsking ? 1 : -1
    if (isAsking && this.#asking === 1) {
      this.stop()
      this.#leftMs -= this.#runtime.monotonic() - this.#sinceMs
    } else if (!isAsking && this.#asking === 0) this.#run()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #run(): void {
    this.#sinceMs = this.#runtime.monotonic()
    this.#cancel = this.#runtime.after(Math.max(0, this.#leftMs), this.#onTimeUp)
  }
}
