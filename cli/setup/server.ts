import { join } from 'node:path'
import type { Runtime } from '../../core/index.ts'
import { Journal } from './journal.ts'
import { SERVER_PATHS } from './paths.ts'
import type { SetupEvent } from './protocol.ts'
import { type ProgramOutcome, runProgram } from './run-program.ts'

export type ServerPaths = { readonly [Name in keyof typeof SERVER_PATHS]: string }

/** The server that is changed, with what changes it: a test gives another root, and programs of its own. */
export interface Server {
  readonly paths: ServerPaths
  /** An absolute path as it is on this server. */
  at(path: string): string
  /** Runs a program of the server; never rejects. */
  run(program: string, args: readonly string[], timeoutMs?: number): Promise<ProgramOutcome>
  readonly runtime: Runtime
}

/** A request that is being done. */
export interface Work {
  readonly server: Server
  readonly journal: Journal
  tell(event: Extract<SetupEvent, { event: 'step' }>): void
  /** Aborted when nobody waits for the outcome any more. */
  readonly signal: AbortSignal
}

const PROGRAM_MS = 60_000

/** This very server, or one below another root. */
export function createServer(runtime: Runtime, root = '/'): Server {
  const at = (path: string): string => join(root, path)
  const paths = Object.fromEntries(Object.entries(SERVER_PATHS).map(([name, path]) => [name, at(path)])) as ServerPaths
  return {
    paths,
    at,
    runtime,
    run: (program, args, timeoutMs = PROGRAM_MS) => runProgram(program, args, { timeoutMs }),
  }
}

export const openJournal = (server: Server): Promise<Journal> => Journal.open(server.paths.journal)

/** How a step went: undefined for done. */
export type StepOutcome =
  | { readonly same: string }
  | { readonly warned: string }
  | { readonly done: string }
  | undefined

/** Does one step and tells of it; not begun when nobody waits any more. */
export async function takeStep(work: Work, step: string, act: () => Promise<StepOutcome>): Promise<void> {
  work.signal.throwIfAborted()
  work.tell({ event: 'step', step, state: 'begun' })
  try {
    const outcome = await act()
    if (outcome === undefined) work.tell({ event: 'step', step, state: 'done' })
    else if ('same' in outcome) work.tell({ event: 'step', step, state: 'same', detail: outcome.same })
    else if ('warned' in outcome) work.tell({ event: 'step', step, state: 'warned', detail: outcome.warned })
    else work.tell({ event: 'step', step, state: 'done', detail: outcome.done })
  } catch (thrown) {
    const detail = thrown instanceof Error ? thrown.message : String(thrown)
    work.tell({ event: 'step', step, state: 'failed', detail })
    throw thrown
  }
}
