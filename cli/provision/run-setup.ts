import * as v from 'valibot'
import { asMakiError, isErrorCode, MakiError } from '../../core/index.ts'
import { plainTexts } from '../output/text.ts'
import { type SetupEvent, type SetupRequest, setupEvent } from '../setup/index.ts'
import type { Privilege, RemoteProcess, SshHost } from '../ssh/index.ts'
import { SETUP_COMMAND } from './remote-commands.ts'
import { readRemoteLines, readTail } from './remote-lines.ts'
import type { StepEvent } from './step-list.ts'
import { foreignFolder } from './upload-bundle.ts'

/** Messages of programs on the server are carried along: none needs more. */
const MAX_LINE_BYTES = 4 * 1024 * 1024
const MAX_STDERR_BYTES = 16 * 1024
/** A request has a dozen steps; whoever tells more does not come to an end. */
const MAX_EVENTS = 1_000
const MAX_GREETING_LINES = 100

/** What `makiatto setup` refused, or how its connection ended. */
export class SetupFailure extends MakiError {
  /** True: nothing of this run is left on the server. Undefined: it could not say. */
  readonly undone: boolean | undefined

  constructor(error: MakiError, undone: boolean | undefined) {
    super(error.code, error.message, {
      cause: error.cause ?? error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    })
    this.undone = undone
  }
}

/**
 * Runs one request of `makiatto setup` on a server, out of the bundle that lies there under `sha256`, and resolves with its
 * result, which the caller parses. Every step is told as it comes. Throws `SetupFailure`: the server's own error, or
 * MAKI_UNREACHABLE where the connection was lost (the server then puts back by itself what it did). When `signal` is aborted,
 * standard input ends, and what the server says of putting back is waited for.
 */
export async function runSetup(
  host: SshHost,
  privilege: Privilege,
  sha256: string,
  request: SetupRequest,
  onStep: (step: StepEvent) => void,
  signal?: AbortSignal,
): Promise<unknown> {
  signal?.throwIfAborted()
  const process = await host.start(SETUP_COMMAND, { privilege })
  const open = new Set<string>()
  const leave = (): void => void process.stdio.end()
  // A pipe that breaks shows in `ended`, with its reason.
  process.stdio.on('error', () => {})
  const stderr = readTail(process.stderr, MAX_STDERR_BYTES)
  signal?.addEventListener('abort', leave, { once: true })
  try {
    process.stdio.write(`${sha256}\n${JSON.stringify(request)}\n`)
    const last = await readEvents(process, (event) => {
      if (event.state === 'begun') open.add(event.step)
      else open.delete(event.step)
      onStep(event)
    })
    process.stdio.end()
    if (last?.event === 'result') return last.result
    throw last === undefined ? await explainEnd(process, stderr, host) : readError(last)
  } catch (thrown) {
    process.stdio.destroy()
    // A stream that was cut says little; why it was cut is said by the end of the command.
    const reason =
      thrown instanceof MakiError
        ? thrown
        : await process.ended.then(
            () => thrown,
            (lost: unknown) => lost,
          )
    const failure = reason instanceof SetupFailure ? reason : new SetupFailure(asMakiError(reason), undefined)
    for (const step of open) onStep({ step, state: 'failed', detail: failure.message })
    throw failure
  } finally {
    signal?.removeEventListener('abort', leave)
    // Whoever waits for nothing more must not be told of its end.
    process.ended.catch(() => {})
  }
}

type LastEvent = Extract<SetupEvent, { event: 'result' | 'error' }>

/** Resolves with the last event; undefined where the server ended without one. Lines after it are not looked at. */
async function readEvents(process: RemoteProcess, onStep: (step: StepEvent) => void): Promise<LastEvent | undefined> {
  let events = 0
  let greetingLines = 0
  for await (const line of readRemoteLines(process.stdio, MAX_LINE_BYTES)) {
    // What the shell of the server greets with, before it runs the program.
    if (events === 0 && !line.startsWith('{') && ++greetingLines <= MAX_GREETING_LINES) continue
    const event = parseEvent(line)
    if (++events > MAX_EVENTS)
      throw new MakiError('MAKI_PROTOCOL', `the server told of more than ${MAX_EVENTS} steps, and did not end`, {
        hint: 'Something other than makiatto answers there: look at /opt/makiatto/current on the server.',
      })
    switch (event.event) {
      case 'step':
        onStep({ step: event.step, state: event.state, detail: event.detail })
        break
      case 'result':
      case 'error':
        return event
      default:
        event satisfies never
    }
  }
  return undefined
}

function parseEvent(line: string): SetupEvent {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    value = undefined
  }
  const parsed = v.safeParse(setupEvent, value)
  if (parsed.success) return plainTexts(parsed.output)
  throw new MakiError(
    'MAKI_PROTOCOL',
    `the server answers with something else: ${JSON.stringify(line.slice(0, 200))}`,
    {
      hint: 'Its shell may print a greeting to commands, too: silence that for sessions without a terminal.',
    },
  )
}

function readError({ code, message, hint, undone }: Extract<SetupEvent, { event: 'error' }>): SetupFailure {
  const known = isErrorCode(code) ? code : 'MAKI_INTERNAL'
  return new SetupFailure(new MakiError(known, message, hint === undefined ? {} : { hint }), undone)
}

/** Why it ended without a word. */
async function explainEnd(process: RemoteProcess, stderr: Promise<string>, host: SshHost): Promise<SetupFailure> {
  const { code, signal } = await process.ended
  const said = plainTexts((await stderr).trim().split('\n').slice(-5)).join('\n  ')
  if (code === 65) {
    return new SetupFailure(
      new MakiError('MAKI_CONFLICT', `the program is gone from ${host.target.host}: somebody removed it just now`, {
        hint: 'Run the command again.',
      }),
      undefined,
    )
  }
  if (code === 66) return new SetupFailure(foreignFolder(host.target.host), undefined)
  const how = signal === undefined ? `with code ${code}` : `by ${signal}`
  return new SetupFailure(
    new MakiError(
      'MAKI_INTERNAL',
      `makiatto setup on ${host.target.host} ended ${how}${said === '' ? '' : `:\n  ${said}`}`,
      { hint: 'Run the command again: it goes on with what is there, or puts it back.' },
    ),
    undefined,
  )
}
