import { readFile, stat } from 'node:fs/promises'
import { base32nopad } from '@scure/base'
import {
  asMakiError,
  createSigner,
  encodeBase32,
  MakiError,
  type Runtime,
  SEED_BYTES,
  type Signer,
} from '../../core/index.ts'
import { createFile } from './data-folder.ts'

/** Readable and writable by the owner alone. */
const KEY_MODE = 0o600
const OTHERS = 0o077

/** A fresh private key; the signer and the seed that a key file keeps. */
export function generateKey(runtime: Pick<Runtime, 'randomBytes'>): { signer: Signer; seed: Uint8Array } {
  const seed = runtime.randomBytes(SEED_BYTES)
  return { signer: createSigner(seed), seed }
}

/** The text of a key file: a comment that says what it is, then the seed in base32. */
export function formatKeyFile(seed: Uint8Array, comment: string): string {
  return `# ${comment}\n${encodeBase32(seed)}\n`
}

/** Writes a key file of mode 0600 and never over another: MAKI_CONFLICT where a file is. */
export async function writeKeyFile(path: string, seed: Uint8Array, comment: string): Promise<void> {
  try {
    await createFile(path, formatKeyFile(seed, comment), KEY_MODE)
  } catch (cause) {
    if (hasErrno(cause, 'EEXIST')) {
      throw new MakiError(
        'MAKI_CONFLICT',
        `${path} exists already and is not overwritten: it may hold the only copy of a key`,
        {
          cause,
          hint: 'Move it away, or give another path.',
        },
      )
    }
    throw new MakiError('MAKI_STORE_FAILED', `the key file ${path} cannot be written: ${asMakiError(cause).message}`, {
      cause,
    })
  }
}

/** The key of a key file, made where there is none: a key that no profile keeps, as for a CI job. Throws as both do. */
export async function ensureKeyFile(
  path: string,
  comment: string,
  runtime: Pick<Runtime, 'randomBytes'>,
): Promise<{ signer: Signer; isNew: boolean }> {
  const known = await findKeyFile(path)
  if (known !== undefined) return { signer: known, isNew: false }
  const { seed, signer } = generateKey(runtime)
  await writeKeyFile(path, seed, comment)
  return { signer, isNew: true }
}

/** Reads a key file. Throws MAKI_NOT_FOUND, or MAKI_USAGE where others may read it or it holds no key. */
export async function readKeyFile(path: string): Promise<Signer> {
  const signer = await findKeyFile(path)
  if (signer !== undefined) return signer
  throw new MakiError('MAKI_NOT_FOUND', `there is no key file ${path}`, {
    hint: 'Give the path of a key file with --key or MAKIATTO_KEY.',
  })
}

/** As `readKeyFile`, but undefined where no file is. */
export async function findKeyFile(path: string): Promise<Signer | undefined> {
  const seed = await findKeySeed(path)
  return seed === undefined ? undefined : createSigner(seed)
}

/** The private key of a key file itself, which opens what was sealed to its public half; as `findKeyFile` otherwise. */
export async function findKeySeed(path: string): Promise<Uint8Array | undefined> {
  let text: string
  try {
    const { mode } = await stat(path)
    if ((mode & OTHERS) !== 0 && process.platform !== 'win32') {
      throw new MakiError(
        'MAKI_USAGE',
        `the key file ${path} may be read by others (mode ${(mode & 0o777).toString(8)}), so it is not used`,
        {
          hint: `chmod 600 ${quoteForShell(path)}`,
        },
      )
    }
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof MakiError) throw error
    if (hasErrno(error, 'ENOENT')) return undefined
    throw new MakiError('MAKI_USAGE', `the key file ${path} cannot be read: ${asMakiError(error).message}`, {
      cause: error,
    })
  }
  return parseKeyFile(text, path)
}

function parseKeyFile(text: string, path: string): Uint8Array {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  try {
    if (lines.length !== 1) throw new Error('one line with the key is expected')
    const seed = base32nopad.decode((lines[0] as string).toUpperCase())
    if (seed.length !== SEED_BYTES) throw new Error(`${SEED_BYTES} bytes are expected`)
    return seed
  } catch {
    // The cause could quote the secret.
    throw new MakiError('MAKI_USAGE', `${path} is not a key file of makiatto`, {
      hint: text.includes('-----BEGIN ')
        ? 'It is one in PEM: that of a certificate is given with --private-key, that of SSH with --ssh-priv-key.'
        : 'It has comment lines and one line of 52 characters, a-z and 2-7.',
    })
  }
}

export const quoteForShell = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

export function hasErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code
}
