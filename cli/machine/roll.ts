import * as v from 'valibot'
import { asMakiError, MakiError } from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import type { Connect } from '../client/connect.ts'
import { plainLine } from '../output/text.ts'
import { runSetup, type StepList } from '../provision/index.ts'
import { type ActivateResult, activateResult, type SetupRequest } from '../setup/index.ts'
import { checkNode, listNewFaults, type NodeCheck } from './check-node.ts'
import { listMachines, requireMachine } from './choose-machines.ts'
import type { OpenServer } from './open-servers.ts'
import { readServerFacts } from './server-facts.ts'
import { waitUntil } from './wait-span.ts'

/** How a machine came out of a restart or an upgrade. */
export interface MachineOutcome {
  readonly machine: string
  /**
   * `same`: it ran that version already. `returned`: what ran before runs, again or still. `failed`: nobody knows, or it is not well.
   * `untouched`: one before it failed.
   */
  readonly outcome: 'done' | 'same' | 'returned' | 'failed' | 'untouched'
  /** SHA-256 of the bundles that ran before and run now; null where it is not known. */
  readonly before: string | null
  readonly running: string | null
  /** Why it returned or failed. */
  readonly reason: string | null
}

export interface RollOptions {
  readonly client: ClusterClient
  readonly connect: Connect
  readonly steps: StepList
}

/** How long a server may take until what it was told to run is ready; then it goes back by itself. */
const READY_SECS = 90
/** From then until it has all that the others have, and they hear it. */
const WELL_MS = 60_000
const LOOK_MS = 1_000

/**
 * Restarts the daemon of a server without a lost request, or has it run another version, and looks at it afterwards from here
 * and through another node. Where only those see that it is not well, the server is told to go back. Never rejects but for an
 * interruption.
 */
export async function rollServer(
  server: OpenServer,
  version: string | undefined,
  options: RollOptions,
): Promise<MachineOutcome> {
  const { client, steps } = options
  const { machine, facts } = server
  const before = facts.running ?? null
  const outcome = (kind: MachineOutcome['outcome'], running: string | null, reason: string | null) =>
    ({ machine: machine.name, outcome: kind, before, running, reason }) as const
  try {
    const check = () => lookAt(server, options)
    const found = await check()
    const request: SetupRequest =
      version === undefined
        ? { do: 'restart', timeoutSecs: READY_SECS }
        : { do: 'activate', version, timeoutSecs: READY_SECS }
    const result = await tell(server, request, options)
    if (!result.switched)
      return outcome(
        version === undefined ? 'failed' : 'returned',
        result.running,
        plainLine(result.reason ?? 'it did not say why'),
      )
    const readyMs = client.runtime.monotonic()
    const faults = await steps
      .run('Look from here and from the others', async (step) => {
        const left = await waitWell(server, options, found, readyMs)
        if (left.length > 0) throw new MakiError('MAKI_NO', left.join('; '))
        if (found.faults.size > 0) step.warn(`as before: ${[...found.faults.values()].join('; ')}`)
      })
      .then(
        () => undefined,
        (thrown: unknown) => asMakiError(thrown).message,
      )
    client.signal.throwIfAborted()
    if (faults === undefined) return outcome('done', result.running, null)
    if (version === undefined || before === null || before === version) return outcome('failed', result.running, faults)
    const back = await tell(server, { do: 'activate', version: before, timeoutSecs: READY_SECS }, options)
    return back.switched
      ? outcome('returned', back.running, faults)
      : outcome(
          'failed',
          back.running,
          `${faults}; and it could not go back: ${plainLine(back.reason ?? 'it did not say why')}`,
        )
  } catch (thrown) {
    client.signal.throwIfAborted()
    // A server that refuses a version has changed nothing.
    const now = await readServerFacts(server.ssh).catch(() => undefined)
    client.signal.throwIfAborted()
    const stayed = version !== undefined && now?.running === facts.running && now?.unit.active === 'active'
    return outcome(stayed ? 'returned' : 'failed', now?.running ?? null, asMakiError(thrown).message)
  }
}

function lookAt({ machine }: OpenServer, { client, connect }: RollOptions, heardWithinMs?: number): Promise<NodeCheck> {
  const { node } = requireMachine(listMachines(client.profile, client.state), machine.name)
  return checkNode({ client, connect, machine, node, ...(heardWithinMs === undefined ? {} : { heardWithinMs }) })
}

/** What is wrong that was not before, when nothing more changes or the time is over. */
async function waitWell(
  server: OpenServer,
  options: RollOptions,
  before: NodeCheck,
  readyMs: number,
): Promise<readonly string[]> {
  const { runtime, signal } = options.client
  let left: readonly string[] = ['it could not be looked at']
  await waitUntil(WELL_MS, { runtime, signal, everyMs: LOOK_MS }, async () => {
    const { faults } = await lookAt(server, options, runtime.monotonic() - readyMs)
    left = listNewFaults(before.faults, faults)
    return left.length === 0 ? true : undefined
  })
  return left
}

/**
 * By the program that runs there: it is known to work on that server, and has to be able to go back. Only where none is known
 * the new one is asked.
 */
async function tell(server: OpenServer, request: SetupRequest, { steps }: RollOptions): Promise<ActivateResult> {
  const { ssh, privilege, facts } = server
  const program = facts.running ?? (request.do === 'activate' ? request.version : undefined)
  if (program === undefined)
    throw new MakiError('MAKI_NOT_FOUND', `no version runs on ${server.machine.name}`, {
      hint: `maki machine init ${server.machine.name} ${server.machine.sshTarget} mends it.`,
    })
  const said = await runSetup(ssh, privilege, program, request, (step) => steps.report(step))
  const parsed = v.safeParse(activateResult, said)
  if (parsed.success) return parsed.output
  throw new MakiError('MAKI_PROTOCOL', `${server.machine.name} says something else than what runs there now`, {
    hint: `maki machine show ${server.machine.name}`,
  })
}
