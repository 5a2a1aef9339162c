import { MakiError, type Runtime, type Signer } from '../../core/index.ts'
import type { Profile } from '../config/index.ts'
import { operatorKeyComment } from './create-cluster.ts'
import { dataFolderAt, makeDataFolder } from './data-folder.ts'
import { findKeyFile, generateKey, readKeyFile, writeKeyFile } from './identity.ts'

/** The operator's key in a profile's data folder; undefined where none was made yet. */
export async function findProfileKey(profile: Pick<Profile, 'dataFolder'>): Promise<Signer | undefined> {
  return findKeyFile(dataFolderAt(profile.dataFolder).keyFile)
}

/** The profile's key, made where there is none. Making one admits nobody: an operator has to add it. */
export async function ensureProfileKey(
  profile: Pick<Profile, 'dataFolder' | 'cluster'>,
  runtime: Pick<Runtime, 'randomBytes'>,
): Promise<{ signer: Signer; isNew: boolean }> {
  const folder = dataFolderAt(profile.dataFolder)
  const known = await findKeyFile(folder.keyFile)
  if (known !== undefined) return { signer: known, isNew: false }
  await makeDataFolder(folder)
  const { seed } = generateKey(runtime)
  try {
    await writeKeyFile(folder.keyFile, seed, operatorKeyComment(profile.cluster))
  } catch (error) {
    // Another maki made it in between.
    if (!(error instanceof MakiError) || error.code !== 'MAKI_CONFLICT') throw error
    return { signer: await readKeyFile(folder.keyFile), isNew: false }
  }
  return { signer: await readKeyFile(folder.keyFile), isNew: true }
}

/** As `findProfileKey`; where there is none, makes one and throws what to do with it. */
export async function requireProfileKey(profile: Profile, runtime: Pick<Runtime, 'randomBytes'>): Promise<Signer> {
  const { signer, isNew } = await ensureProfileKey(profile, runtime)
  if (!isNew) return signer
  throw new MakiError(
    'MAKI_OPERATION_REFUSED',
    `this computer had no key for the cluster of ${profile.file}; it has one now, which the cluster does not know: ${signer.key}`,
    { hint: `On a computer that is an operator: maki operator add NAME ${signer.key}` },
  )
}
