import { link, mkdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { asMakiError, MakiError, type Runtime, type WireGuardKey } from '../../core/index.ts'
import { syncDirectory, wireGuardPublicKey } from '../../replication/index.ts'
import { createFile } from '../client/data-folder.ts'
import { hasErrno, quoteForShell } from '../client/identity.ts'

const keyPath = (dataDirectory: string) => join(dataDirectory, 'keys', 'wireguard.key')

const KEY_BYTES = 32
/** 32 bytes as `wg genkey` writes them (RFC 4648 section 4), and the end of the line. */
const KEY_TEXT = /^([A-Za-z0-9+/]{43}=)\s*$/
/** Readable and writable by the owner alone. */
const KEY_MODE = 0o600
const OTHERS = 0o077

/** A node's key of WireGuard: X25519 (RFC 7748). */
export interface WireGuardKeyPair {
  /** 32 bytes; they never leave this machine. */
  readonly privateKey: Uint8Array
  readonly publicKey: WireGuardKey
}

/** The node's key. Throws MAKI_NOT_FOUND where it was never made, MAKI_USAGE where others may read it or it holds no key. */
export async function readWireGuardKey(dataDirectory: string): Promise<WireGuardKeyPair> {
  const known = await findWireGuardKey(dataDirectory)
  if (known !== undefined) return known
  throw new MakiError('MAKI_NOT_FOUND', `this node has no key of WireGuard: ${keyPath(dataDirectory)} does not exist`, {
    hint: 'makiatto keygen makes it.',
  })
}

/** Makes the node's key unless it has one; of two that make it at once both get the same. Throws as `readWireGuardKey`. */
export async function ensureWireGuardKey(
  dataDirectory: string,
  runtime: Pick<Runtime, 'randomBytes'>,
): Promise<WireGuardKeyPair> {
  const known = await findWireGuardKey(dataDirectory)
  if (known !== undefined) return known
  const path = keyPath(dataDirectory)
  const key = runtime.randomBytes(KEY_BYTES)
  clamp(key)
  const aside = `${path}.${Buffer.from(runtime.randomBytes(8)).toString('hex')}`
  try {
    await mkdir(join(dataDirectory, 'keys'), { recursive: true, mode: 0o700 })
    await createFile(aside, `${Buffer.from(key).toString('base64')}\n`, KEY_MODE)
    // Under its name it is whole from the first moment, and never over another.
    await link(aside, path)
    await syncDirectory(join(dataDirectory, 'keys'))
  } catch (cause) {
    if (hasErrno(cause, 'EEXIST')) return await readWireGuardKey(dataDirectory)
    throw new MakiError('MAKI_STORE_FAILED', `the key file ${path} cannot be written: ${asMakiError(cause).message}`, {
      cause,
    })
  } finally {
    await rm(aside, { force: true })
  }
  return { privateKey: key, publicKey: wireGuardPublicKey(key) }
}

/** As RFC 7748 section 5 has it, so that the file says what WireGuard gives back. */
function clamp(key: Uint8Array): void {
  key[0] = (key[0] as number) & 248
  key[31] = ((key[31] as number) & 127) | 64
}

async function findWireGuardKey(dataDirectory: string): Promise<WireGuardKeyPair | undefined> {
  const path = keyPath(dataDirectory)
  let text: string
  try {
    const { mode } = await stat(path)
    if ((mode & OTHERS) !== 0) {
      const found = (mode & 0o777).toString(8)
      throw new MakiError(
        'MAKI_USAGE',
        `the key file ${path} may be read by others (mode ${found}), so it is not used`,
        {
          hint: `chmod 600 ${quoteForShell(path)}`,
        },
      )
    }
    text = await readFile(path, 'latin1')
  } catch (error) {
    if (error instanceof MakiError) throw error
    if (hasErrno(error, 'ENOENT')) return undefined
    throw new MakiError('MAKI_USAGE', `the key file ${path} cannot be read: ${asMakiError(error).message}`, {
      cause: error,
    })
  }
  const privateKey = new Uint8Array(Buffer.from(KEY_TEXT.exec(text)?.[1] ?? '', 'base64'))
  // Without a cause: it could quote the secret.
  if (privateKey.length !== KEY_BYTES) {
    throw new MakiError('MAKI_USAGE', `${path} is not a private key of WireGuard`, {
      hint: 'It has one line of 44 characters, as wg genkey writes it. Moved away, makiatto keygen makes another, and the node must be told to the cluster anew: maki machine init.',
    })
  }
  return { privateKey, publicKey: wireGuardPublicKey(privateKey) }
}
