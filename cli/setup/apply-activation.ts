import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { MessageChannel } from 'node:worker_threads'
import * as v from 'valibot'
import { asMakiError, MakiError, type Runtime } from '../../core/index.ts'
import { type DaemonConfig, loadDaemonConfig } from '../config/index.ts'
import { readLastErrors, takeOver } from './daemon-unit.ts'
import { openEventOutput } from './event-output.ts'
import { SERVER_PATHS } from './paths.ts'
import { type ActivateResult, type SetupEvent, type SetupRequestOf, setupRequest } from './protocol.ts'
import { awaitServing, type Noted, noteDaemon } from './serving-check.ts'
import { checkVersion, parseVersionName, readCurrentVersion, sweepVersions, switchVersion } from './versions.ts'

/** What is done in a unit of its own. */
export type ActivationRequest = SetupRequestOf<'activate' | 'restart' | 'configure'>

/** For the way back, which is not a matter of the caller's patience. */
const RETURN_MS = 60_000

type Step = <T>(step: string, work: () => Promise<T>) => Promise<T>

interface Change {
  /** What is to run afterwards. */
  readonly version: string
  /** Undefined where nothing changes but the process: a restart. */
  apply?(): Promise<void>
  /** Undefined where there is no way back: a plain restart. */
  readonly back?: { readonly version: string; undo(): Promise<void> }
}

/**
 * Does a request to its end, and goes back by itself when the daemon is not well with it. Rejects where it refused before
 * anything was changed; all that comes later is a result.
 */
export async function applyActivation(
  request: ActivationRequest,
  tell: (event: SetupEvent) => void,
  runtime: Runtime,
): Promise<ActivateResult> {
  const step: Step = async (name, work) => {
    tell({ event: 'step', step: name, state: 'begun' })
    try {
      const result = await work()
      tell({ event: 'step', step: name, state: 'done' })
      return result
    } catch (thrown) {
      tell({ event: 'step', step: name, state: 'failed', detail: asMakiError(thrown).message })
      throw thrown
    }
  }
  const running = await readCurrentVersion()
  const change = await planChange(request, running, step)
  if (change === undefined) return { switched: true, running }
  const noted = await noteDaemon(await loadDaemonConfig(SERVER_PATHS.config), runtime)
  const startedMs = runtime.now()
  const timeoutMs = request.timeoutSecs * 1000
  try {
    const { apply } = change
    if (apply !== undefined) await step('Switch', apply)
    await settle(change.version, { noted, step, timeoutMs, runtime })
  } catch (thrown) {
    const said = await readLastErrors(startedMs)
    const reason = `${asMakiError(thrown).message}${said === '' ? '' : `: ${said}`}`
    return await goBack(change, reason, { noted, step, timeoutMs: RETURN_MS, runtime })
  }
  if (request.do === 'activate') await sweepVersions(change.version, running).catch(() => [])
  return { switched: true, running: change.version }
}

interface Settling {
  readonly noted: Noted | undefined
  readonly step: Step
  readonly timeoutMs: number
  readonly runtime: Runtime
}

async function settle(version: string, { noted, step, timeoutMs, runtime }: Settling): Promise<void> {
  const deadlineMs = runtime.monotonic() + timeoutMs
  const config: DaemonConfig = await loadDaemonConfig(SERVER_PATHS.config)
  const pid = await step('Hand over to the new daemon', () => takeOver(version, runtime, deadlineMs))
  await step('See it serve', () => awaitServing(config, { pid, noted, runtime, deadlineMs }))
}

async function goBack({ version, back }: Change, reason: string, settling: Settling): Promise<ActivateResult> {
  if (back === undefined) return { switched: false, reason, running: version }
  try {
    await settling.step('Go back', () => back.undo())
    await settle(back.version, settling)
    return { switched: false, reason, running: back.version }
  } catch (thrown) {
    const worse = `${reason}; and what was before is not well either: ${asMakiError(thrown).message}`
    return { switched: false, reason: worse, running: back.version }
  }
}

/** Looks at what is to come before anything is changed; undefined where all is so already. */
async function planChange(request: ActivationRequest, running: string, step: Step): Promise<Change | undefined> {
  switch (request.do) {
    case 'restart':
      return { version: running }
    case 'activate': {
      const version = parseVersionName(request.version)
      if (version === running) return undefined
      await step('Check the new version', () => requireFit(version, running))
      const back = { version: running, undo: () => switchVersion(running) }
      return { version, apply: () => switchVersion(version), back }
    }
    case 'configure':
      return await planConfiguration(request.config, running, step)
    default:
      return request satisfies never
  }
}

async function planConfiguration(config: string, running: string, step: Step): Promise<Change | undefined> {
  const before = await readFile(SERVER_PATHS.config, 'utf8')
  if (before === config) return undefined
  const next = `${SERVER_PATHS.config}.next`
  await writeLike(SERVER_PATHS.config, next, config)
  try {
    await step('Check the configuration', () => checkVersion(running, next))
  } catch (thrown) {
    await rm(next, { force: true })
    throw thrown
  }
  const undo = async (): Promise<void> => {
    await writeLike(SERVER_PATHS.config, next, before)
    await rename(next, SERVER_PATHS.config)
  }
  return { version: running, apply: () => rename(next, SERVER_PATHS.config), back: { version: running, undo } }
}

/** Writes a file that whoever may read `model` may read. */
async function writeLike(model: string, path: string, text: string): Promise<void> {
  const { mode, uid, gid } = await stat(model)
  await rm(path, { force: true })
  const file = await open(path, 'wx', mode & 0o777)
  try {
    await file.chown(uid, gid)
    await file.chmod(mode & 0o777)
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** It runs here, and reads what this node has told the others that it reads: they may have written it since. */
async function requireFit(version: string, running: string): Promise<void> {
  const next = await checkVersion(version)
  // A version that does not run any more binds nobody.
  const present = await checkVersion(running).catch(() => undefined)
  if (present === undefined || next.schema >= present.schema) return
  throw new MakiError(
    'MAKI_UNSUPPORTED',
    `version ${next.version} reads operations up to schema ${next.schema}, and this node has told the cluster that it reads ${present.schema}`,
    { hint: 'Take a version that is not older than the one that runs.' },
  )
}

/** The program of the transient unit: one request on standard input, `SetupEvent`s on standard output, whoever reads them. */
export async function runActivation(runtime: Runtime): Promise<void> {
  // Timers of the runtime do not keep a process alive that waits for another one.
  new MessageChannel().port1.on('message', () => {})
  const { tell, end } = openEventOutput()
  try {
    const request = v.parse(setupRequest, JSON.parse(await text(process.stdin)))
    if (request.do !== 'activate' && request.do !== 'restart' && request.do !== 'configure')
      throw new MakiError('MAKI_INVALID', `${request.do} is not done in a unit of its own`)
    tell({ event: 'result', result: await applyActivation(request, tell, runtime) })
  } catch (thrown) {
    const { code, message, hint } = asMakiError(thrown)
    tell({ event: 'error', code, message, ...(hint === undefined ? {} : { hint }), undone: true })
  }
  end(0)
}
