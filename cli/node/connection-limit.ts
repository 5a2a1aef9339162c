import { readFileSync } from 'node:fs'

/** As many as a worker serves well; more need more memory than a small server has. */
const MOST = 8192
/** For the store, blobs being read, gossip and control. */
const KEPT_FOR_OTHERS = 128

/**
 * How many visitors' connections a process may hold, so that files and sockets of its own are left: from the system's limit
 * of open files (a visitor costs its socket, and a file while a body is sent).
 */
export function connectionLimit(maxOpenFiles = readOpenFileLimit()): number {
  if (maxOpenFiles === undefined) return MOST
  return Math.max(16, Math.min(MOST, Math.floor((maxOpenFiles - KEPT_FOR_OTHERS) / 2)))
}

/** Undefined where the system does not tell, or sets no limit. */
function readOpenFileLimit(): number | undefined {
  let text: string
  try {
    text = readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return undefined
  }
  const soft = /^Max open files\s+(\d+)/m.exec(text)?.[1]
  return soft === undefined ? undefined : Number(soft)
}
