import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createSigner, MakiError, type MemberKey, type Signer } from '../../core/index.ts'
import { findKeyFile, findKeySeed, generateKey, writeKeyFile } from '../client/identity.ts'
import { systemRuntime } from '../system.ts'

const keyPath = (dataDirectory: string) => join(dataDirectory, 'keys', 'node.key')

/** A node's own key, and the seed of it, which opens what others seal to this node. */
export interface NodeKey {
  readonly signer: Signer
  readonly seed: Uint8Array
}

/** The node's own key. Throws MAKI_NOT_FOUND where it was never made. */
export async function readNodeKey(dataDirectory: string): Promise<NodeKey> {
  const seed = await findKeySeed(keyPath(dataDirectory))
  if (seed !== undefined) return { signer: createSigner(seed), seed }
  throw new MakiError('MAKI_NOT_FOUND', `this node has no key: ${keyPath(dataDirectory)} does not exist`, {
    hint: 'makiatto keygen makes it and prints the public key, which an operator adds to the cluster.',
  })
}

/** Makes the node's key unless it has one; the private key never leaves the file. */
export async function makeNodeKey(dataDirectory: string): Promise<MemberKey> {
  const known = await findKeyFile(keyPath(dataDirectory))
  if (known !== undefined) return known.key
  await mkdir(join(dataDirectory, 'keys'), { recursive: true, mode: 0o700 })
  const { signer, seed } = generateKey(systemRuntime)
  await writeKeyFile(keyPath(dataDirectory), seed, 'Private key of a Makiatto node. It never leaves this machine.')
  return signer.key
}
