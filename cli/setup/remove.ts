import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MakiError } from '../../core/index.ts'
import { findAccount } from './account.ts'
import { Journal, type UndoRecord } from './journal.ts'
import { SERVER_PATHS } from './paths.ts'
import type { RemoveResult } from './protocol.ts'
import { type Server, takeStep, type Work } from './server.ts'
import { ABSENT, readSnapshot } from './snapshot.ts'
import { undoRecords } from './undo.ts'
import { CACHE_FOLDER } from './unit-file.ts'

/** Stops the daemon, and puts back all that was changed on this server; the program that does it goes last. */
export async function remove(work: Work): Promise<RemoveResult> {
  const { server } = work
  const left: string[] = []
  await takeStep(work, 'Put the server back', async () => {
    const journal = work.journal.isThere ? work.journal : await reconstruct(server)
    if (journal.records.length === 0 && !work.journal.isThere)
      throw new MakiError('MAKI_NOT_FOUND', 'nothing of Makiatto is installed on this server')
    left.push(...(await undoRecords(server, journal)))
    return left.length === 0 ? undefined : { warned: left.join('; ') }
  })
  await takeStep(work, 'Delete the program', async () => {
    const { root, journal } = server.paths
    // The journal is the last of it: a removal that is cut is begun again by what it says.
    for (const name of await readdir(root).catch(() => [])) {
      if (join(root, name) !== journal) await rm(join(root, name), { recursive: true, force: true })
    }
    await rm(root, { recursive: true, force: true })
    return undefined
  })
  return { left }
}

/** Without the journal: what is surely ours, by where it lies and what it says. Others' settings are not known any more. */
async function reconstruct(server: Server): Promise<Journal> {
  const { paths } = server
  const journal = await Journal.open(paths.journal)
  const records: UndoRecord[] = []
  const unit = await readSnapshot(paths.unit)
  const isOurUnit =
    unit.is === 'file' && Buffer.from(unit.content, 'base64').toString().includes(`${SERVER_PATHS.root}/`)
  const command = await readSnapshot(paths.command)
  const account = await findAccount(server)
  if (account?.home === SERVER_PATHS.data && /nologin$/.test(account.shell)) records.push({ kind: 'account' })
  const ours = (path: string): UndoRecord => ({ kind: 'path', path, before: ABSENT, after: [], owned: true })
  if (isOurUnit) {
    for (const path of [paths.configFolder, paths.data, server.at(CACHE_FOLDER)]) {
      if ((await readdir(path).catch(() => undefined)) !== undefined)
        records.push({ kind: 'folder', path, owned: true })
    }
    records.push(ours(paths.sysctl))
    if ((await readSnapshot(paths.resolved)).is === 'file') records.push({ kind: 'resolver' }, ours(paths.resolved))
    records.push({ kind: 'reload' }, ours(paths.unit), { kind: 'service' })
  }
  if (command.is === 'link' && command.target.startsWith(`${SERVER_PATHS.root}/`)) records.push(ours(paths.command))
  for (const record of records) await journal.record(record)
  return journal
}
