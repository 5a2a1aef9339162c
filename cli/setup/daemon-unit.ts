import { readFile } from 'node:fs/promises'
import { MakiError, type Runtime } from '../../core/index.ts'
import { SERVICE_NAME } from './paths.ts'
import { runProgram } from './run-program.ts'
import { lastLines, versionMark } from './versions.ts'

/** What systemd says of the daemon. */
export interface UnitState {
  readonly active: string
  readonly sub: string
  readonly mainPid: number
  /** Another one for each start. */
  readonly invocation: string
  readonly result: string
}

type Time = Pick<Runtime, 'after' | 'monotonic'>

const ASK_MS = 30_000
const LOOK_EVERY_MS = 100
/** A daemon that was told to hand over and is not gone by then is killed, which leaves its workers, too. */
const LEAVE_MS = 10_000
const LOG_LINES = 200
const LAST_EVENT = 'node.not-started'
/** What stands before an error of ours on standard error. */
const OWN = /^makiatto: /
/** A program that could not be loaded or executed, as Node, the dynamic linker and systemd say it; our own error. */
const FAULT = /^makiatto: |^\w*Error\b|error while|not found|: Failed (to|at)\b/i

/** Reads what `systemctl show` prints; pure. What is missing is empty. */
export function parseUnitState(text: string): UnitState {
  const values = new Map(
    text.split('\n').map((line) => [line.split('=', 1)[0] ?? '', line.slice(line.indexOf('=') + 1)]),
  )
  const value = (name: string): string => values.get(name) ?? ''
  return {
    active: value('ActiveState'),
    sub: value('SubState'),
    mainPid: Number(value('MainPID')) || 0,
    invocation: value('InvocationID'),
    result: value('Result'),
  }
}

/** Throws MAKI_INTERNAL where systemd does not answer. */
export async function readUnitState(): Promise<UnitState> {
  const properties = '--property=ActiveState,SubState,MainPID,InvocationID,Result'
  const { code, stdout, stderr } = await runProgram('systemctl', ['show', properties, SERVICE_NAME], {
    timeoutMs: ASK_MS,
  })
  if (code === 0) return parseUnitState(stdout)
  throw new MakiError('MAKI_INTERNAL', `systemd does not say how ${SERVICE_NAME} is: ${lastLines(stderr)}`)
}

/**
 * Has the daemon that runs hand over, or starts it where none does, and waits until another one is ready. Resolves with its
 * process id; rejects with MAKI_TIMEOUT, or MAKI_NO where it ended.
 */
export async function takeOver(version: string, runtime: Time, deadlineMs: number): Promise<number> {
  const before = await readUnitState()
  const isOff = before.active === 'inactive' || before.active === 'failed' || before.active === ''
  if (isOff) {
    await runProgram('systemctl', ['reset-failed', SERVICE_NAME], { timeoutMs: ASK_MS })
    await runProgram('systemctl', ['start', '--no-block', SERVICE_NAME], { timeoutMs: ASK_MS })
  } else if (before.mainPid > 0) signal(before.mainPid, 'SIGUSR2')
  const killMs = runtime.monotonic() + LEAVE_MS
  let started: string | undefined
  for (;;) {
    const now = await readUnitState()
    const isAnother = now.invocation !== before.invocation
    if (!isAnother && now.mainPid === before.mainPid && now.mainPid > 0 && runtime.monotonic() > killMs)
      signal(now.mainPid, 'SIGKILL')
    if (isAnother && now.mainPid > 0) {
      if (started !== undefined && started !== now.invocation) throw ended(now)
      started = now.invocation
      if (now.active === 'active' && (await runsVersion(now.mainPid, version))) return now.mainPid
    } else if (started !== undefined || (isAnother && hasEnded(now))) throw ended(now)
    if (runtime.monotonic() > deadlineMs)
      throw new MakiError(
        'MAKI_TIMEOUT',
        started === undefined ? 'it was not started in time' : 'it was not ready in time',
      )
    await pause(runtime, LOOK_EVERY_MS)
  }
}

/** What the daemon logged last of what went wrong, as one line; empty where nobody kept it. */
export async function readLastErrors(sinceMs: number): Promise<string> {
  // On a server with much else to do, what was said this moment is not written yet.
  await runProgram('journalctl', ['--sync'], { timeoutMs: ASK_MS })
  const since = `--since=@${Math.floor(sinceMs / 1000)}`
  const args = ['--unit', SERVICE_NAME, '--output=cat', '--no-pager', '--quiet', `--lines=${LOG_LINES}`, since]
  const { code, stdout } = await runProgram('journalctl', args, { timeoutMs: ASK_MS })
  return code === 0 ? lastLines(describeFaults(stdout).join('\n')) : ''
}

/** Of lines of the journal those that tell of a fault, each once, the last last; pure. */
export function describeFaults(journal: string): readonly string[] {
  const told = new Set<string>()
  for (const fault of journal.split('\n').flatMap(describeFault)) {
    // A service that is started again and again says the same each time.
    told.delete(fault)
    told.add(fault)
  }
  return [...told]
}

export const pause = (runtime: Pick<Runtime, 'after'>, ms: number): Promise<void> =>
  new Promise((resolve) => void runtime.after(ms, resolve))

/** One whose program cannot even be executed has no process for long enough to be seen. */
const hasEnded = ({ active, sub }: UnitState): boolean => active === 'failed' || sub.startsWith('auto-restart')

/** Of a line of our log its event and message when it tells of a fault; of another one what looks like an error. */
function describeFault(line: string): string[] {
  if (!line.startsWith('{')) return FAULT.test(line) ? [line.replace(OWN, '')] : []
  try {
    const { level, event, error, reason } = JSON.parse(line) as Record<string, unknown>
    if (level !== 'error') return []
    const message = (error as { message?: unknown } | undefined)?.message ?? reason ?? ''
    // What ends the daemon is said twice: there, and for people.
    return [event === LAST_EVENT ? String(message) : `${String(event)} ${String(message)}`.trim()]
  } catch {
    return []
  }
}

const ended = ({ result }: UnitState): MakiError =>
  new MakiError('MAKI_NO', `it ended while it started${result === 'success' || result === '' ? '' : ` (${result})`}`)

async function runsVersion(pid: number, version: string): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return command.includes(versionMark(version))
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended by itself.
  }
}
