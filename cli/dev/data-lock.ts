import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { MakiError } from '../../core/index.ts'
import { hasErrno } from '../client/identity.ts'

/** An empty database: LevelDB's lock is the system's, so it ends with the process that holds it, however that ends. */
const LOCK_FOLDER = 'dev.lock'
const HOLDER_FILE = 'dev.lock.pid'

/**
 * Keeps a second `maki dev` out of a data folder until it is disposed. Throws MAKI_LOCKED with the process that is in it.
 */
export async function lockDataFolder(folder: string): Promise<AsyncDisposable> {
  const holder = join(folder, HOLDER_FILE)
  const lock = new Level(join(folder, LOCK_FOLDER))
  try {
    await lock.open()
  } catch (cause) {
    await lock.close()
    if (cause instanceof Error && cause.cause instanceof Error && hasErrno(cause.cause, 'LEVEL_LOCKED'))
      throw await lockedError(folder, holder, cause)
    throw cause
  }
  await writeFile(holder, `${process.pid}\n`)
  return {
    async [Symbol.asyncDispose]() {
      await rm(holder, { force: true })
      await lock.close()
    },
  }
}

async function lockedError(folder: string, holder: string, cause: unknown): Promise<MakiError> {
  const pid = (await readFile(holder, 'utf8').catch(() => '')).trim()
  // The holder has just begun, and has not said its number yet.
  const who = pid === '' ? 'another maki dev is in it' : `maki dev is process ${pid}`
  const beside = 'for another one beside it, add: --data .makiatto2 --http-port 9080 --dns-port 6300'
  return new MakiError('MAKI_LOCKED', `the local cluster in ${folder} is running already: ${who}`, {
    cause,
    hint: pid === '' ? beside : `End it with: kill ${pid}\nor, ${beside}`,
  })
}
