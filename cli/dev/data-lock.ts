import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MakiError } from '../../core/index.ts'
import { hasErrno } from '../client/identity.ts'
import { findProcessMark } from './process-info.ts'

const LOCK_FILE = 'dev.lock'

/**
 * Keeps a second `maki dev` out of a data folder until it is disposed. Throws MAKI_LOCKED with the process that is in it;
 * a lock whose process is gone is taken over.
 */
export async function lockDataFolder(folder: string): Promise<AsyncDisposable> {
  const path = join(folder, LOCK_FILE)
  const mine = `${process.pid} ${await findProcessMark(process.pid)}\n`
  const draft = `${path}.${process.pid}`
  await writeFile(draft, mine)
  try {
    // Linked into place, so that the lock never exists without the name of its holder.
    while (!(await tryLink(draft, path))) await takeFromTheDead(path, folder)
  } finally {
    await rm(draft, { force: true })
  }
  return {
    async [Symbol.asyncDispose]() {
      if ((await readHolder(path)) === mine) await rm(path, { force: true })
    },
  }
}

/** Removes the lock of a process that is gone; throws where it lives. */
async function takeFromTheDead(path: string, folder: string): Promise<void> {
  const holder = await readHolder(path)
  if (holder === undefined) return
  const [pid = '', mark] = holder.trim().split(/ (.*)/)
  const alive = await findProcessMark(Number(pid))
  if (alive !== undefined && alive === mark) {
    throw new MakiError(
      'MAKI_LOCKED',
      `the local cluster in ${folder} is running already: maki dev is process ${pid}`,
      {
        hint: `End it with: kill ${pid}\nor, for another one beside it, add: --data .makiatto2 --http-port 9080 --dns-port 6300`,
      },
    )
  }
  const aside = `${path}.stale.${process.pid}`
  try {
    await rename(path, aside)
    // Another process may have taken it over in between: then it is put back.
    if ((await readHolder(aside)) !== holder) await link(aside, path)
  } catch (error) {
    if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'EEXIST')) throw error
  }
  await rm(aside, { force: true })
}

async function tryLink(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return false
    throw error
  }
}

async function readHolder(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined)
}
