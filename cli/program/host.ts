import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { MessageChannel } from 'node:worker_threads'
import type { Runtime } from '../../core/index.ts'
import { systemRuntime } from '../system.ts'

/** Where text goes to. */
export interface TextSink {
  write(text: string): void
  readonly isTerminal: boolean
  /** Width of the terminal in columns; undefined where there is none. */
  readonly columns: number | undefined
}

/**
 * What a program has around it: streams, environment, folder, clock, interruption. Commands reach the outside only
 * through it, so that a test runs them in its own process.
 */
export interface Host {
  readonly stdout: TextSink
  readonly stderr: TextSink
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly runtime: Runtime
  /** Asks a person and resolves with the line that was typed, empty at the end of input; absent where nobody sits there. */
  readonly ask?: (question: string) => Promise<string>
  /** As `ask`, and what is typed is not shown. */
  readonly askSecret?: (question: string) => Promise<string>
  /** Aborted when the person interrupts; a command then closes what it opened and ends. */
  readonly signal: AbortSignal
  /**
   * Until what it gives is disposed of, an interrupted command may take as long as it needs to take back what it did. Who
   * interrupts once more ends it at once.
   */
  readonly hold?: () => Disposable
}

/** How long an interrupted command may take to close before the process ends anyway. */
const CLOSE_MS = 5_000

/** The host of this very process; `[Symbol.dispose]` takes its signal handlers off again. */
export function createProcessHost({ closeMs = CLOSE_MS } = {}): Host & Disposable {
  const interruption = new AbortController()
  let holds = 0
  let exitLate = (): void => {}
  const onSignal = (signal: NodeJS.Signals): void => {
    const code = SIGNAL_EXIT_CODES[signal as keyof typeof SIGNAL_EXIT_CODES] ?? 1
    if (interruption.signal.aborted) process.exit(code)
    exitLate = () => {
      systemRuntime.after(closeMs, () => {
        if (holds === 0) process.exit(code)
      })
    }
    interruption.abort(new Interrupted(code))
    exitLate()
  }
  // Timers of the runtime do not keep a process alive; a command that waits for one must not end in the middle.
  const awake = new MessageChannel()
  awake.port1.on('message', () => {})
  const signals = Object.keys(SIGNAL_EXIT_CODES) as NodeJS.Signals[]
  for (const signal of signals) process.on(signal, onSignal)
  // One question at a time: the end of one would have the terminal show what is typed at the other.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = (ask: () => Promise<string>): Promise<string> => {
    const asking = last.then(ask)
    last = asking.catch(() => {})
    return asking
  }
  return {
    stdout: sinkOf(process.stdout),
    stderr: sinkOf(process.stderr),
    env: process.env,
    cwd: process.cwd(),
    runtime: systemRuntime,
    signal: interruption.signal,
    hold() {
      holds += 1
      return {
        [Symbol.dispose]() {
          holds -= 1
          exitLate()
        },
      }
    },
    ...(process.stdin.isTTY && process.stderr.isTTY
      ? {
          ask: (question: string) => inTurn(() => askOnTerminal(question, interruption.signal, process.stderr)),
          askSecret: (question: string) =>
            inTurn(async () => {
              const typing = askOnTerminal('', interruption.signal, nowhere())
              // Once the terminal echoes no more.
              process.stderr.write(question)
              const typed = await typing
              process.stderr.write('\n')
              return typed
            }),
        }
      : {}),
    [Symbol.dispose]() {
      awake.port1.close()
      for (const signal of signals) process.off(signal, onSignal)
    },
  }
}

/** Takes what would be echoed. */
const nowhere = (): Writable => new Writable({ write: (_chunk, _encoding, done) => done() })

async function askOnTerminal(question: string, signal: AbortSignal, output: Writable): Promise<string> {
  const lines = createInterface({ input: process.stdin, output, terminal: true })
  // On a terminal readline takes Ctrl-C for itself.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  lines.once('close', () => resolve(''))
  lines.question(question).then(resolve, reject)
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    lines.close()
  }
}

/** Why `Host.signal` is aborted; carries the exit code that the shell expects: 128 and the signal's number. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly exitCode: number

  constructor(exitCode: number) {
    super('interrupted')
    this.exitCode = exitCode
  }
}

const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

const guarded = new WeakSet<NodeJS.WriteStream>()

function sinkOf(stream: NodeJS.WriteStream): TextSink {
  // The reader may leave early (`maki history | head`): no fault of ours, and the command still does its work.
  if (!guarded.has(stream)) {
    guarded.add(stream)
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
  return {
    write: (text) => {
      if (stream.writable) stream.write(text)
    },
    isTerminal: stream.isTTY === true,
    // Read each time: a window may be made wider.
    get columns() {
      return stream.columns
    },
  }
}
