import { readdir, readFile, rm } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { type ClusterId, MakiError, shortId } from '../../core/index.ts'
import { createCluster } from '../client/create-cluster.ts'
import { exists } from '../client/data-folder.ts'
import { requireProfileKey } from '../client/profile-key.ts'
import {
  defaultDataFolder,
  findProfile,
  lockProfile,
  type Profile,
  type ProfileContent,
  writeProfile,
} from '../config/index.ts'
import type { InitContext } from './init-context.ts'
import type { StepHandle } from './step-list.ts'
import type { TakeBack } from './take-back.ts'

/** The cluster that a machine is to join, and what was made for it. */
export interface OwnCluster {
  readonly profile: ProfileContent
  /** Where this is the first machine: the file that the owner keeps elsewhere. */
  readonly recoveryKey: string | undefined
  /** The profile is locked: others that would make a cluster wait until its first machine stands in it. */
  readonly isLocked: boolean
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
 * Makes a cluster where there is no profile yet; goes on with one whose first machine was broken off. Until `owned` is
 * disposed others that would make one wait, and find it then. The profile is written at once, without a machine: a run that
 * is killed after that can be gone on with.
 */
export async function makeOwnCluster(
  context: InitContext,
  takeBack: TakeBack,
  owned: AsyncDisposableStack,
  step: Pick<StepHandle, 'same'>,
): Promise<OwnCluster> {
  const { host, profileFile, log } = context
  const { env, runtime, signal } = host
  const lock = owned.use(await lockProfile(profileFile, env, runtime, { signal }))
  const present = await findOwnProfile(context)
  if (present !== undefined) {
    step.same(`it is there: ${present.cluster}`)
    const isBegun = present.machines.length > 0
    if (isBegun) await lock[Symbol.asyncDispose]()
    const recoveryKey = isBegun ? undefined : await findRecoveryKey(env, present.cluster)
    return { profile: present, recoveryKey, isLocked: !isBegun }
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
  const left = `the key in ${folder.path}, the recovery key ${recoveryKeyPath} and ${profileFile}, of a cluster that never began`
  takeBack.did(left, async () => {
    await rm(profileFile, { force: true })
    await rm(recoveryKeyPath, { force: true })
    await rm(folder.path, { recursive: true, force: true })
  })
  const profile = { file: profileFile, cluster, machines: [], dataFolder: folder.path }
  await writeProfile(profile, env, runtime)
  return { profile, recoveryKey: recoveryKeyPath, isLocked: true }
}

const RECOVERY_KEY = /^makiatto-recovery(-\d+)?\.key$/

/** That of a cluster, where it still lies where it was made. */
async function findRecoveryKey(env: InitContext['host']['env'], cluster: ClusterId): Promise<string | undefined> {
  const { HOME = '' } = env
  const names = HOME === '' ? [] : await readdir(HOME).catch(() => [])
  for (const name of names.filter((one) => RECOVERY_KEY.test(one))) {
    const text = await readFile(join(HOME, name), 'utf8').catch(() => '')
    // Its comment names the cluster.
    if (text.includes(`(${shortId(cluster)})`)) return join(HOME, name)
  }
  return undefined
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
