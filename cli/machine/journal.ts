import { asMakiError } from '../../core/index.ts'
import type { SshHost } from '../ssh/index.ts'

/** The end of what the service wrote, for a daemon that does not answer. */
const JOURNAL_COMMAND = 'journalctl --unit=makiatto.service --output=cat --lines=200 --no-pager'
/** What is shown of a line that is none of ours. */
const MAX_TEXT = 2_000

/** A line as the log of a node has it, or `journal.line` with its text. */
export type JournalLine = Readonly<Record<string, unknown>>

/**
 * Reads the journal of the service on a server: as who connects where they may (root, or the group systemd-journal), else by a
 * sudo that asks nothing. Undefined where neither may.
 */
export async function readJournal(server: SshHost, signal: AbortSignal): Promise<readonly JournalLine[] | undefined> {
  const own = await server.run(JOURNAL_COMMAND, { signal })
  if (own.code === 0 && own.stdout.trim() !== '') return parseJournal(own.stdout)
  if (server.target.user === 'root') return undefined
  try {
    const asRoot = await server.run(JOURNAL_COMMAND, { signal, privilege: { kind: 'sudo' } })
    return asRoot.code === 0 ? parseJournal(asRoot.stdout) : undefined
  } catch (thrown) {
    // Who may not use sudo is told which ways there are; a connection that is lost is another matter.
    if (signal.aborted || asMakiError(thrown).exitCode === 3) throw thrown
    return undefined
  }
}

/** A stranger's lines; what is no line of our log is kept as text. Pure. */
export function parseJournal(text: string): readonly JournalLine[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line): JournalLine => {
      try {
        const value: unknown = JSON.parse(line)
        if (typeof value === 'object' && value !== null && 'event' in value && typeof value.event === 'string')
          return { ...value }
      } catch {
        // The service manager writes there, too, and so does Node where it ends.
      }
      return { level: 'info', event: 'journal.line', text: line.slice(0, MAX_TEXT) }
    })
}
