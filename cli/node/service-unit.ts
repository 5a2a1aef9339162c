import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Runtime } from '../../core/index.ts'

/** Tells the processes that outlive this one which unit they belong to. */
const UNIT_VARIABLE = 'MAKIATTO_UNIT'
const ASK_EVERY_MS = 2_000
const ASK_TIMEOUT_MS = 10_000
/** One look may fall between the two halves of a restart. */
const LOOKS = 2

/** Leaves the name of the systemd unit that runs this process in `env`, for its children; to be called before they start. */
export function rememberUnit(env: NodeJS.ProcessEnv): void {
  const unit = env.NOTIFY_SOCKET ? readUnit() : undefined
  if (unit === undefined) delete env[UNIT_VARIABLE]
  else env[UNIT_VARIABLE] = unit
}

/** The service that a process belongs to, by its /proc/<pid>/cgroup; undefined where it is in none. */
export function parseUnit(cgroups: string): string | undefined {
  return /^(?:0:|\d+:name=systemd):(?:\/\S*)?\/([\w@.:\\-]+\.service)$/m.exec(cgroups)?.[1]
}

/**
 * For a process that lost its control process: `stopped` is called once when the owner has stopped the unit, so that nothing
 * goes on serving behind his back. While the unit starts again, or nobody can say how it is, nothing happens.
 */
export function watchUnit(env: NodeJS.ProcessEnv, runtime: Pick<Runtime, 'after'>, stopped: () => void): void {
  const unit = env[UNIT_VARIABLE]
  if (unit === undefined) return
  let looks = 0
  const look = (): void => {
    const args = ['show', '--property=ActiveState', '--value', '--', unit]
    execFile('systemctl', args, { timeout: ASK_TIMEOUT_MS }, (error, stdout) => {
      const isStopped = error === null && /^(inactive|failed)\n$/.test(stdout)
      looks = isStopped ? looks + 1 : 0
      if (looks >= LOOKS) stopped()
      else runtime.after(ASK_EVERY_MS, look)
    })
  }
  runtime.after(ASK_EVERY_MS, look)
}

function readUnit(): string | undefined {
  try {
    return parseUnit(readFileSync('/proc/self/cgroup', 'utf8'))
  } catch {
    return undefined
  }
}
