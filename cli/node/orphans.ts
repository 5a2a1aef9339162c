import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../../core/index.ts'
import { WORKER_MARK } from './worker-handle.ts'

/** Ends the workers that a killed control process left serving, now that `ours` serve. */
export async function dismissOrphans(
  { register, log }: { readonly register: string; readonly log: Log },
  ours: ReadonlySet<number>,
): Promise<void> {
  for (const name of await readdir(register).catch(() => [])) {
    const pid = Number(name)
    if (!Number.isSafeInteger(pid) || ours.has(pid)) continue
    if (await isWorker(pid, register)) {
      process.kill(pid, 'SIGTERM')
      log.info('worker.orphan-dismissed', { pid })
    } else await forgetWorker(register, pid)
  }
}

/** A worker that ended leaves nothing. */
export async function forgetWorker(register: string, pid: number): Promise<void> {
  await rm(join(register, String(pid)), { force: true })
}

/** A process id may have been given to somebody else since it was noted. */
async function isWorker(pid: number, register: string): Promise<boolean> {
  try {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8')
    return command.includes(WORKER_MARK) && command.includes(register)
  } catch {
    return false
  }
}
