import { lstat, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MakiError } from '../../core/index.ts'
import { syncDirectory } from '../../replication/local/index.ts'
import { findAccount } from './account.ts'
import { requireProgram } from './change-server.ts'
import { readLastErrors, readUnitState, takeOver } from './daemon-unit.ts'
import { SetupError } from './install.ts'
import { SERVICE_NAME } from './paths.ts'
import type { BeginResult, SetupRequestOf } from './protocol.ts'
import { takeStep, type Work } from './server.ts'
import { undoChanges } from './undo.ts'
import { readCurrentVersion } from './versions.ts'

/** As the unit gives it to start, and a little more. */
const START_MS = 310_000
const SEED_FILE = 'bootstrap.operations'

/**
 * Starts the service with the operations that it begins with, and waits until it says that it is ready. A failure stops it
 * again, and takes all back that the journal has where `undo` is set: throws `SetupError` then.
 */
export async function begin(work: Work, { seed, undo }: SetupRequestOf<'begin'>): Promise<BeginResult> {
  const { server, journal, signal } = work
  if (!journal.isInstalled)
    throw new MakiError('MAKI_NOT_FOUND', 'nothing is installed on this server that could be started', {
      hint: 'maki machine init',
    })
  const from = journal.records.length
  const sinceMs = server.runtime.now()
  try {
    await takeStep(work, 'What the node begins with', () => placeSeed(work, Buffer.from(seed, 'base64')))
    await takeStep(work, 'Start', async () => {
      const before = await readUnitState()
      await journal.record({ kind: 'service' })
      await requireProgram(server, 'systemctl', ['enable', SERVICE_NAME])
      if (before.active !== 'active') {
        // systemctl itself would wait for as long as systemd tries again.
        const deadlineMs = server.runtime.monotonic() + START_MS
        const start = takeOver(await readCurrentVersion(), server.runtime, deadlineMs)
        start.catch(() => {})
        await Promise.race([start, rejectOnAbort(signal)])
      }
      return before.active === 'active' ? { same: 'it runs' } : undefined
    })
    const { active, mainPid } = await readUnitState()
    if (active === 'active') return { pid: mainPid }
    throw new MakiError('MAKI_INTERNAL', `the service is ${active}`)
  } catch (thrown) {
    const said = await readLastErrors(sinceMs)
    const why = signal.aborted
      ? thrown
      : new MakiError(
          'MAKI_INTERNAL',
          `the node does not start${said === '' ? `: ${(thrown as Error).message}` : `: ${said}`}`,
          {
            cause: thrown,
            hint: undo
              ? 'All was put back. What it says above is from its log.'
              : `On the server: journalctl -u ${SERVICE_NAME}`,
          },
        )
    throw new SetupError(why, await undoChanges(server, journal, undo ? 0 : from))
  }
}

/** A node that has folded operations reads it no more. */
async function placeSeed({ server }: Work, seed: Uint8Array): Promise<{ same: string } | undefined> {
  const { data } = server.paths
  const has = async (name: string): Promise<boolean> =>
    (await lstat(join(data, name)).catch(() => undefined)) !== undefined
  if (await has('stored')) return { same: 'it has operations' }
  const account = await findAccount(server)
  if (account === undefined) throw new MakiError('MAKI_NOT_FOUND', 'the user of the service is gone')
  const path = join(data, SEED_FILE)
  const next = `${path}.next`
  await rm(next, { force: true })
  const file = await open(next, 'wx', 0o600)
  try {
    await file.chown(account.uid, account.gid)
    await file.writeFile(seed)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(next, path)
  await syncDirectory(data)
  return undefined
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
