import { lstat, readdir, readFile, rm, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { asMakiError } from '../../core/index.ts'
import { pause } from './daemon-unit.ts'
import type { Journal, UndoRecord } from './journal.ts'
import { SERVER_PATHS, SERVICE_NAME, SERVICE_USER } from './paths.ts'
import type { Server } from './server.ts'
import { digestSnapshot, draftOf, readSnapshot, writeSnapshot } from './snapshot.ts'
import { lastLines } from './versions.ts'

const STOP_MS = 90_000
/** Processes that were killed are gone in a moment; one that waits for a disk is not waited for much longer. */
const GONE_MS = 10_000

/** As `undoRecords`; the journal goes with its first record. */
export async function undoChanges(server: Server, journal: Journal, from = 0): Promise<readonly string[]> {
  const left = await undoRecords(server, journal, from)
  if (from === 0) await journal.remove()
  return left
}

/**
 * Puts back what the journal has, the last first, down to the record number `from`. Resolves with what could not be put
 * back, a line each: it is tried no more. A power cut in the middle leaves the rest noted.
 */
export async function undoRecords(server: Server, journal: Journal, from = 0): Promise<readonly string[]> {
  const left: string[] = []
  while (journal.records.length > from) {
    const record = journal.records.at(-1) as UndoRecord
    const fault = await undo(server, record).catch((thrown: unknown) => asMakiError(thrown).message)
    if (fault !== undefined) left.push(fault)
    await journal.drop()
  }
  return left
}

/** Resolves with why it is left, in words. Everything may have been undone before, or never done. */
async function undo(server: Server, record: UndoRecord): Promise<string | undefined> {
  switch (record.kind) {
    case 'path':
      return await undoPath(record)
    case 'folder':
      return await undoFolder(record)
    case 'account':
      return await undoAccount(server)
    case 'sysctl': {
      const { code, stderr } = await server.run('sysctl', ['-q', '-w', `${record.name}=${record.before}`])
      return code === 0 ? undefined : `${record.name} is not ${record.before} again: ${lastLines(stderr)}`
    }
    case 'reload':
      await server.run('systemctl', ['daemon-reload'])
      await server.run('systemctl', ['reset-failed', SERVICE_NAME])
      return undefined
    case 'resolver': {
      const { code, stderr } = await server.run('systemctl', ['restart', 'systemd-resolved'])
      return code === 0 ? undefined : `systemd-resolved did not start again: ${lastLines(stderr)}`
    }
    case 'service':
      return await undoService(server)
    default:
      return record satisfies never
  }
}

async function undoPath({
  path,
  before,
  after,
  owned,
}: Extract<UndoRecord, { kind: 'path' }>): Promise<string | undefined> {
  await rm(draftOf(path), { force: true })
  const present = await readSnapshot(path)
  const digest = digestSnapshot(present)
  if (digest === digestSnapshot(before)) return undefined
  if (!owned && !after.includes(digest) && present.is !== 'absent')
    return `${path} was changed by somebody else meanwhile, and is left as it is`
  if (present.is === 'other') return `${path} is no plain file any more, and is left`
  await writeSnapshot(path, before)
  return undefined
}

async function undoFolder({ path, owned }: Extract<UndoRecord, { kind: 'folder' }>): Promise<string | undefined> {
  if ((await lstat(path).catch(() => undefined))?.isDirectory() !== true) return undefined
  if (owned) await rm(path, { recursive: true, force: true })
  else {
    try {
      await rmdir(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY') return `${path} has files of others in it, and is left`
      throw error
    }
  }
  return undefined
}

async function undoAccount(server: Server): Promise<string | undefined> {
  await endProcesses(server)
  const user = await server.run('userdel', [SERVICE_USER])
  // 6: there is none. The group goes with its user, unless others are in it.
  if (user.code !== 0 && user.code !== 6) return `the user ${SERVICE_USER} is left: ${lastLines(user.stderr)}`
  const group = await server.run('groupdel', [SERVICE_USER])
  if (group.code !== 0 && group.code !== 6) return `the group ${SERVICE_USER} is left: ${lastLines(group.stderr)}`
  return undefined
}

async function undoService(server: Server): Promise<string | undefined> {
  await server.run('systemctl', ['stop', 'makiatto-activate.service'], STOP_MS)
  await server.run('systemctl', ['disable', '--now', SERVICE_NAME], STOP_MS)
  // A daemon that had to be killed leaves its workers serving.
  const left = await endProcesses(server)
  // Kept between two starts, also where the last one failed.
  await rm(server.at(dirname(SERVER_PATHS.controlSocket)), { recursive: true, force: true })
  return left
}

/** Kills what still runs as the service's user. */
async function endProcesses(server: Server): Promise<string | undefined> {
  const uid = await findUid(server)
  if (uid === undefined) return undefined
  const deadlineMs = server.runtime.monotonic() + GONE_MS
  for (;;) {
    const pids = await listProcesses(uid)
    if (pids.length === 0) return undefined
    for (const pid of pids) kill(pid)
    if (server.runtime.monotonic() > deadlineMs) return `processes of ${SERVICE_USER} do not end: ${pids.join(', ')}`
    await pause(server.runtime, 50)
  }
}

async function findUid(server: Server): Promise<number | undefined> {
  const { code, stdout } = await server.run('id', ['-u', SERVICE_USER])
  const uid = Number(stdout.trim())
  return code === 0 && Number.isInteger(uid) && uid > 0 ? uid : undefined
}

async function listProcesses(uid: number): Promise<number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue
    const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '')
    if (/^State:\s*Z/m.test(status)) continue
    if (new RegExp(`^Uid:\\s*${uid}\\s`, 'm').test(status)) found.push(Number(name))
  }
  return found
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
