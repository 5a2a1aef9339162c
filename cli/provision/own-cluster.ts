import { rm } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { MakiError } from '../../core/index.ts'
import { createCluster } from '../client/create-cluster.ts'
import { dataFolderAt, exists } from '../client/data-folder.ts'
import { requireProfileKey } from '../client/profile-key.ts'
import { defaultDataFolder, findProfile, lockProfile, type Profile, type ProfileContent } from '../config/index.ts'
import type { InitContext } from './init-context.ts'
import type { TakeBack } from './take-back.ts'

/** The cluster that a machine is to join, and what was made for it. */
export interface OwnCluster {
  readonly profile: ProfileContent
  /** Made by this run: the file that the owner keeps elsewhere. */
  readonly recoveryKey: string | undefined
}

/** The profile, with the key of who types. Throws, with what to do, where that is no operator's. Undefined: there is none. */
export async function findOwnProfile({ host, profileFile, caution }: InitContext): Promise<Profile | undefined> {
  const profile = await findProfile(profileFile, host.env)
  if (profile === undefined) return undefined
  for (const warning of profile.warnings) caution(warning)
  await requireProfileKey(profile, host.runtime)
  return profile
}

/**
 * Makes a cluster where there is no profile. Until `owned` is disposed, when the profile is written, others that would make
 * one for the same profile wait, and find it then.
 */
export async function makeOwnCluster(
  context: InitContext,
  takeBack: TakeBack,
  owned: AsyncDisposableStack,
): Promise<OwnCluster> {
  const { host, profileFile, log } = context
  const { env, runtime, signal } = host
  const lock = owned.use(await lockProfile(profileFile, env, runtime, { signal }))
  const present = await findOwnProfile(context)
  if (present !== undefined) {
    await lock[Symbol.asyncDispose]()
    return { profile: present, recoveryKey: undefined }
  }
  const recoveryKeyPath = await findFreePath(env)
  const { cluster, folder } = await createCluster({
    name: 'makiatto',
    operatorName: operatorName(),
    dataDir: (id) => defaultDataFolder(id, env),
    recoveryKeyPath,
    runtime,
    log,
  })
  takeBack.did(
    `the key in ${folder.path} and the recovery key ${recoveryKeyPath}, of a cluster that never began`,
    async () => {
      await rm(recoveryKeyPath, { force: true })
      await rm(folder.path, { recursive: true, force: true })
    },
  )
  const profile = { file: profileFile, cluster, machines: [], dataFolder: dataFolderAt(folder.path).path }
  return { profile, recoveryKey: recoveryKeyPath }
}

/** In the home folder, where it is seen; the first name that is free. */
async function findFreePath(env: InitContext['host']['env']): Promise<string> {
  const { HOME } = env
  if (HOME === undefined || HOME === '') {
    throw new MakiError('MAKI_USAGE', 'there is no home folder to write the recovery key to: HOME is not set', {
      hint: 'Set HOME to a folder of yours.',
    })
  }
  for (let number = 1; ; number++) {
    const path = join(HOME, `makiatto-recovery${number === 1 ? '' : `-${number}`}.key`)
    if (!(await exists(path))) return path
  }
}

function operatorName(): string {
  try {
    return userInfo().username.slice(0, 100) || 'operator'
  } catch {
    return 'operator'
  }
}
