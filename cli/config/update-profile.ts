import { createHash } from 'node:crypto'
import { mkdir, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { MakiError, type Runtime } from '../../core/index.ts'
import { type Environment, loadProfile, type Profile, writeProfile } from './profile.ts'

export type ProfileContent = Omit<Profile, 'warnings'>

/** How long one command waits for another that edits the same profile. */
const WAIT_MS = 60_000
const RETRY_MS = 50

export interface LockOptions {
  readonly signal?: AbortSignal | undefined
  /** Another maki edits the profile, and this one begins to wait. */
  readonly onWait?: (() => void) | undefined
  readonly waitMs?: number
}

/**
 * Keeps other commands from editing a profile until it is disposed. Throws MAKI_LOCKED where one has it for a minute. The
 * lock is the system's (LevelDB's, of a database that stays empty): it ends with the process that holds it.
 */
export async function lockProfile(
  file: string,
  env: Environment,
  runtime: Pick<Runtime, 'after' | 'monotonic'>,
  options: LockOptions = {},
): Promise<AsyncDisposable> {
  const { signal, onWait, waitMs = WAIT_MS } = options
  const folder = await lockFolder(file, env)
  const { Level } = await import('level')
  const deadline = runtime.monotonic() + waitMs
  for (let waits = 0; ; waits++) {
    signal?.throwIfAborted()
    const lock = new Level(folder)
    try {
      await lock.open()
      return { [Symbol.asyncDispose]: () => lock.close() }
    } catch (cause) {
      await lock.close()
      if (!isLocked(cause)) throw cause
      if (runtime.monotonic() >= deadline) {
        throw new MakiError('MAKI_LOCKED', `another maki works on the profile ${file}`, {
          cause,
          hint: 'Wait until it has finished, or end it; then run the command again.',
        })
      }
      if (waits === 0) onWait?.()
    }
    await new Promise<void>((done) => runtime.after(RETRY_MS, done))
  }
}

/**
 * Reads a profile, lets `edit` change it and writes what that returns, all under a lock: of two commands at once each sees
 * what the other has written. `edit` gets undefined where there is no file; undefined from it writes nothing. Resolves with
 * the profile as it stands then.
 */
export async function updateProfile(
  file: string,
  env: Environment,
  runtime: Pick<Runtime, 'after' | 'monotonic' | 'randomBytes'>,
  edit: (profile: Profile | undefined) => ProfileContent | undefined | Promise<ProfileContent | undefined>,
  options: LockOptions = {},
): Promise<Profile | undefined> {
  await using _lock = await lockProfile(file, env, runtime, options)
  const present = await findProfile(file, env)
  const next = await edit(present)
  if (next === undefined) return present
  await writeProfile(next, env, runtime)
  return { ...next, warnings: present?.warnings ?? [] }
}

/** As `loadProfile`; undefined where there is no file. */
export async function findProfile(file: string, env: Environment): Promise<Profile | undefined> {
  try {
    return await loadProfile(file, env)
  } catch (thrown) {
    const cause = thrown instanceof MakiError ? (thrown.cause as NodeJS.ErrnoException | undefined) : undefined
    if (cause?.code === 'ENOENT' || cause?.code === 'ENOTDIR') return undefined
    throw thrown
  }
}

/** Beside caches, not beside the profile, which may lie in a repository. One for each profile, whatever leads to it. */
async function lockFolder(file: string, env: Environment): Promise<string> {
  const path = resolve(file)
  const real = await realpath(path).catch(async () => {
    const folder = await realpath(dirname(path)).catch(() => dirname(path))
    return join(folder, basename(path))
  })
  const home = env.HOME === undefined || env.HOME === '' ? undefined : join(env.HOME, '.cache')
  const cache = env.XDG_CACHE_HOME === undefined || env.XDG_CACHE_HOME === '' ? home : env.XDG_CACHE_HOME
  const folder = join(cache ?? tmpdir(), 'makiatto', 'locks', createHash('sha256').update(real).digest('hex'))
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return folder
}

const isLocked = (thrown: unknown): boolean =>
  thrown instanceof Error && (thrown.cause as NodeJS.ErrnoException | undefined)?.code === 'LEVEL_LOCKED'
