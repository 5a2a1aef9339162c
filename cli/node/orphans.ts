import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log, Runtime } from '../../core/index.ts'
import { WORKER_MARK } from './worker-handle.ts'

/** What answers for a moment more than that is cut. */
const PATIENCE_MS = 12_000
const LOOK_EVERY_MS = 50

/** Ends the workers that a killed control process left serving, now that `ours` serve. */
export async function dismissOrphans(
  { register, log }: { readonly register: string; readonly log: Log },
  ours: ReadonlySet<number>,
): Promise<void> {
  for (const pid of await listOrphans(register, ours)) {
    if (signal(pid, 'SIGTERM')) log.info('worker.orphan-dismissed', { pid })
  }
}

/** Ends all workers of a node and resolves when they are gone; who takes longer than twelve seconds to answer is killed. */
export async function endWorkers({
  register,
  runtime,
  log,
}: {
  readonly register: string
  readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
  readonly log: Log
}): Promise<void> {
  const left = await listOrphans(register, new Set())
  if (left.length === 0) return
  log.info('worker.orphans-ended', { pids: left })
  for (const pid of left) signal(pid, 'SIGTERM')
  const untilMs = runtime.monotonic() + PATIENCE_MS
  // Not by what is noted, which a worker takes away before it has ended.
  for (let pids = left; pids.length > 0; ) {
    if (runtime.monotonic() > untilMs) for (const pid of pids) signal(pid, 'SIGKILL')
    await new Promise<void>((resolve) => void runtime.after(LOOK_EVERY_MS, resolve))
    const are = await Promise.all(pids.map((pid) => isWorker(pid, register)))
    pids = pids.filter((_pid, i) => are[i])
  }
  for (const pid of left) await forgetWorker(register, pid)
}

/** A worker that ended leaves nothing. */
export async function forgetWorker(register: string, pid: number): Promise<void> {
  await rm(join(register, String(pid)), { force: true })
}

async function listOrphans(register: string, ours: ReadonlySet<number>): Promise<number[]> {
  const found: number[] = []
  for (const name of await readdir(register).catch(() => [])) {
    const pid = Number(name)
    if (!Number.isSafeInteger(pid) || pid <= 1 || ours.has(pid)) continue
    if (await isWorker(pid, register)) found.push(pid)
    else await forgetWorker(register, pid)
  }
  return found
}

/** False where it has just ended. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
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
