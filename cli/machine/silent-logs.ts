import { asMakiError } from '../../core/index.ts'
import type { Machine } from '../config/index.ts'
import { type JournalLine, readJournal } from './journal.ts'
import { openServer, type ServerAccess } from './open-server.ts'

/** What a machine wrote whose daemon does not answer. */
export interface SilentLog {
  readonly machine: string
  readonly lines: readonly JournalLine[]
  /** Why there are none; undefined where there are. */
  readonly fault: string | undefined
}

/** Reads the journals of machines over SSH; those that are no servers are left out. Rejects only where it is interrupted. */
export async function readSilentLogs(
  access: ServerAccess,
  machines: readonly Machine[],
): Promise<readonly SilentLog[]> {
  const logs: SilentLog[] = []
  for (const machine of machines) {
    const { name, sshTarget } = machine
    if (sshTarget === undefined) continue
    try {
      await using server = await openServer(access, { ...machine, sshTarget })
      const lines = await readJournal(server, access.host.signal)
      const fault =
        'its journal may be read by root, by who may use sudo without a password, and by the group systemd-journal'
      logs.push({ machine: name, lines: lines ?? [], fault: lines === undefined ? fault : undefined })
    } catch (thrown) {
      access.host.signal.throwIfAborted()
      logs.push({ machine: name, lines: [], fault: asMakiError(thrown).message })
    }
  }
  return logs
}
