import { readFile, rm, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { MakiError } from '../../core/index.ts'

/** Leaves word in `path` of which process holds the store. Best effort: the lock itself is Level's. */
export async function writeHolder(path: string): Promise<void> {
  const command = process.argv.slice(1, 3).map((part) => basename(part))
  await writeFile(path, `${process.pid}\n${command.join(' ')}\n`, { mode: 0o600 }).catch(() => {})
}

export async function removeHolder(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => {})
}

/** MAKI_LOCKED, with the holder's process id and command where they can be found. */
export async function lockedError(directory: string, path: string, cause: unknown): Promise<MakiError> {
  const [pid = '', command = ''] = (await readFile(path, 'utf8').catch(() => '')).split('\n')
  const known = /^[1-9][0-9]{0,9}$/.test(pid) && isAlive(Number(pid))
  const holder = known ? `process ${pid} (${command})` : 'another process'
  return new MakiError('MAKI_LOCKED', `${holder} holds the store in ${directory}`, {
    cause,
    hint: known ? `Wait until it is done, or end it: kill ${pid}` : 'Wait until the other command is done.',
  })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
