import { createPrivateKey, createPublicKey, sign as signWith } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import ssh2, { type ParsedKey } from 'ssh2'
import { MakiError } from '../../core/index.ts'
import { hasErrno, quoteForShell } from '../client/identity.ts'

const OTHERS = 0o077
/** A private key is not longer. */
const MOST_BYTES = 64 * 1024

/** What a file of a private key shows before it is opened. */
export type KeyFile =
  | { readonly kind: 'open'; readonly key: ParsedKey }
  /** `publicKey` where the file shows it in clear, or one beside it does (`.pub`). */
  | { readonly kind: 'locked'; readonly publicKey: Buffer | undefined; readonly text: string }

/** Reads a file of a private SSH key. Undefined where there is none; throws MAKI_USAGE for what cannot be used, and why. */
export async function findPrivateKey(path: string): Promise<KeyFile | undefined> {
  let text: string
  try {
    const { mode, size } = await stat(path)
    if ((mode & OTHERS) !== 0 && process.platform !== 'win32') {
      const octal = (mode & 0o777).toString(8)
      throw refuse(path, `may be read by others (mode ${octal}), so it is not used`, `chmod 600 ${quoteForShell(path)}`)
    }
    if (size > MOST_BYTES) throw refuse(path, 'is too long for a private key')
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof MakiError) throw error
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return undefined
    throw refuse(
      path,
      hasErrno(error, 'EISDIR')
        ? 'is a folder'
        : hasErrno(error, 'EACCES')
          ? 'may not be read by you'
          : 'cannot be read',
    )
  }
  const parsed = ssh2.utils.parseKey(text)
  if (!(parsed instanceof Error)) {
    const key = Array.isArray(parsed) ? (parsed[0] as ParsedKey) : parsed
    if (!key.isPrivateKey()) throw refuse(path, 'is a public key; the private one is expected')
    return { kind: 'open', key }
  }
  if (isLocked(text, parsed))
    return { kind: 'locked', publicKey: findPublicKey(text) ?? (await readPublicKey(path)), text }
  throw refuse(path, explainFormat(text), `As OpenSSH has it: ssh-keygen -t ed25519 -f ${quoteForShell(path)}.new`)
}

/** Opens what is locked; undefined where the passphrase is another one. */
export function unlockKey(text: string, passphrase: string): ParsedKey | undefined {
  const parsed = ssh2.utils.parseKey(text, passphrase)
  if (parsed instanceof Error) return undefined
  return Array.isArray(parsed) ? parsed[0] : parsed
}

/** The SSH key that the seed of a makiatto key file is: Ed25519 (RFC 8709). */
export function buildSeedKey(seed: Uint8Array): { publicKey: Buffer; sign: (data: Buffer) => Buffer } {
  const der = Buffer.concat([PKCS8_ED25519, seed])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const raw = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32)
  const publicKey = Buffer.concat([field(Buffer.from('ssh-ed25519')), field(raw)])
  return { publicKey, sign: (data) => signWith(null, data, privateKey) }
}

/** Before the 32 bytes of a seed (RFC 8410 section 7). */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')

function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

const isLocked = (text: string, error: Error): boolean =>
  /^Proc-Type: 4,ENCRYPTED/m.test(text) || /no passphrase given|passphrase/i.test(error.message)

/** From the head of a file that OpenSSH wrote, where it stands in clear (PROTOCOL.key). */
function findPublicKey(text: string): Buffer | undefined {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]+?)-----END/.exec(text)?.[1]
  if (body === undefined) return undefined
  const data = Buffer.from(body, 'base64')
  let at = 'openssh-key-v1\0'.length
  const next = (): Buffer | undefined => {
    if (at + 4 > data.length) return undefined
    const end = at + 4 + data.readUInt32BE(at)
    if (end > data.length) return undefined
    const part = data.subarray(at + 4, end)
    at = end
    return part
  }
  // Cipher, key derivation and its options; then the number of keys.
  if (next() === undefined || next() === undefined || next() === undefined) return undefined
  at += 4
  return next()
}

async function readPublicKey(path: string): Promise<Buffer | undefined> {
  const text = await readFile(`${path}.pub`, 'utf8').catch(() => '')
  const parsed = ssh2.utils.parseKey(text.slice(0, MOST_BYTES))
  if (parsed instanceof Error) return undefined
  return (Array.isArray(parsed) ? parsed[0] : parsed)?.getPublicSSH()
}

function explainFormat(text: string): string {
  if (/BEGIN (ENCRYPTED )?PRIVATE KEY/.test(text)) return 'is a key of PKCS #8, a form that is not read here'
  if (/BEGIN OPENSSH PRIVATE KEY/.test(text))
    return 'is a key of a kind that is not known here (one of a security key works through ssh-agent), or it is damaged'
  if (/BEGIN|PuTTY/.test(text)) return 'is a key of a kind that is not known here, or it is damaged'
  return 'is no private key: OpenSSH, PEM and PPK are read'
}

function refuse(path: string, why: string, hint?: string): MakiError {
  return new MakiError('MAKI_USAGE', `the key file ${path} ${why}`, {
    hint: hint ?? 'Name a private key with --ssh-priv-key FILE.',
  })
}
