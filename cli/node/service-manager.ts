import type { Cancel, Log, Runtime } from '../../core/index.ts'
import { type Notify, openNotifySocket } from './notify-socket.ts'

/** What systemd, or another manager that speaks sd_notify(3), is told of this process. All of it is nothing without one. */
export interface ServiceManager extends Disposable {
  /** All listens. From here on it is told at half of its time that this process is well, and kills it when it is not. */
  ready(status: string): void
  /** It goes on, and something else is to be shown beside it. */
  status(text: string): void
  /** It ends, and why. */
  stopping(text: string): void
}

const MAX_STATUS = 200

/**
 * The manager that started this process, taken out of `env` so that no child speaks for it. Well means: the event loop turns.
 * A store that refuses writes is no reason to be killed, since the next start would find it as it is, and the edge serves on.
 */
export async function openServiceManager(
  env: NodeJS.ProcessEnv,
  { runtime, log, pid }: { runtime: Pick<Runtime, 'after'>; log: Log; pid: number },
): Promise<ServiceManager> {
  const { NOTIFY_SOCKET: name, WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = env
  delete env.NOTIFY_SOCKET
  delete env.WATCHDOG_USEC
  delete env.WATCHDOG_PID
  const notify = name === undefined || name === '' ? undefined : await openNotifySocket(name)
  if (notify === undefined && name) log.warn('service.no-manager', { socket: name })
  return buildManager(notify ?? (() => true), parseWatchdogMs(usec, watched, pid), runtime)
}

/** How often to say that all is well: half of what is allowed (sd_watchdog_enabled(3)); undefined for never. */
export function parseWatchdogMs(
  usec: string | undefined,
  watched: string | undefined,
  pid: number,
): number | undefined {
  if (usec === undefined || !/^[1-9]\d{0,15}$/.test(usec)) return undefined
  if (watched !== undefined && watched !== String(pid)) return undefined
  return Number(usec) / 2000
}

function buildManager(notify: Notify, everyMs: number | undefined, runtime: Pick<Runtime, 'after'>): ServiceManager {
  let cancel: Cancel | undefined
  const watch = (): void => {
    if (everyMs === undefined) return
    notify('WATCHDOG=1')
    cancel = runtime.after(everyMs, watch)
  }
  return {
    ready(text) {
      notify(`READY=1\nSTATUS=${line(text)}`)
      cancel?.()
      watch()
    },
    status: (text) => void notify(`STATUS=${line(text)}`),
    // Goes on to be watched: an end that hangs is ended.
    stopping: (text) => void notify(`STOPPING=1\nSTATUS=${line(text)}`),
    [Symbol.dispose]: () => cancel?.(),
  }
}

/** A line break would begin another assignment. */
const line = (text: string): string => text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ').slice(0, MAX_STATUS)
