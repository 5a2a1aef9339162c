import { mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { MakiError, type Runtime } from '../../core/index.ts'
import { hasErrno } from '../client/identity.ts'

/** Where a local cluster keeps everything; all paths absolute. */
export interface DevFolder {
  readonly path: string
  /** Written last when a cluster is made: without it there is none yet. */
  readonly profile: string
  /** The operator's key, replica and outbox. */
  readonly operator: string
  readonly recoveryKey: string
  /** The certificate of the local authority; its key is nowhere. */
  readonly authority: string
}

export function devFolderAt(path: string): DevFolder {
  return {
    path,
    profile: join(path, 'profile.toml'),
    operator: join(path, 'operator'),
    recoveryKey: join(path, 'recovery.key'),
    authority: join(path, 'ca.pem'),
  }
}

/** What `maki dev` itself puts there. */
const OURS =
  /^(profile\.toml|operator|recovery\.key|ca\.pem|node[0-9]+|dev\.lock.*|\.gitignore|incomplete-.*|\.makiatto-.*\.tmp)$/

/**
 * Makes the folder, which git then leaves out. Throws MAKI_USAGE for one that holds something else and no cluster. Beside a
 * cluster anything may lie: a second profile finds the sockets of the nodes from there.
 */
export async function makeDevFolder(folder: DevFolder): Promise<void> {
  try {
    await mkdir(folder.path, { recursive: true, mode: 0o700 })
    const names = await readdir(folder.path)
    const hasCluster = [folder.profile, folder.operator].every((path) => names.includes(basename(path)))
    const foreign = names.find((name) => !OURS.test(name))
    if (foreign !== undefined && !hasCluster) {
      throw new MakiError(
        'MAKI_USAGE',
        `${folder.path} holds something else (${foreign}), so no cluster is put there`,
        {
          hint: 'Name a folder of its own: maki dev --data .makiatto',
        },
      )
    }
    await writeFile(join(folder.path, '.gitignore'), '*\n')
  } catch (cause) {
    if (cause instanceof MakiError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new MakiError('MAKI_USAGE', `the folder ${folder.path} cannot be used for the cluster: ${why}`, {
      cause,
      hint: 'Name another one: maki dev --data FOLDER',
    })
  }
}

/** Moves the folder of an earlier cluster aside, so that nothing is lost; where to, or undefined when there was none. */
export async function putAside(folder: DevFolder, runtime: Pick<Runtime, 'now'>): Promise<string | undefined> {
  const to = `${folder.path}.old-${timeSuffix(runtime)}`
  try {
    await rename(folder.path, to)
    return to
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/**
 * Moves away what a start that was broken off before the profile was written has left: keys that nothing refers to.
 * Returns where to, or undefined when there was nothing.
 */
export async function putRemainsAside(folder: DevFolder, runtime: Pick<Runtime, 'now'>): Promise<string | undefined> {
  const names = await readdir(folder.path)
  const remains = names.filter(
    (name) =>
      [folder.operator, folder.recoveryKey].map((path) => basename(path)).includes(name) || /^node[0-9]+$/.test(name),
  )
  if (names.includes(basename(folder.profile)) || remains.length === 0) return undefined
  const to = join(folder.path, `incomplete-${timeSuffix(runtime)}`)
  await mkdir(to, { mode: 0o700 })
  for (const name of remains) await rename(join(folder.path, name), join(to, name))
  return to
}

/** A time that a file name can hold. */
const timeSuffix = (runtime: Pick<Runtime, 'now'>): string =>
  new Date(runtime.now())
    .toISOString()
    .replace(/\.[0-9]+Z$/, 'Z')
    .replaceAll(':', '-')
