import { type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { MakiError } from '../../core/index.ts'

/** 32 MiB and some 200 ms for each try, as OWASP's cheat sheet on storing passwords has it for scrypt with little memory. */
const PARAMETERS = { ln: 15, r: 8, p: 3 }
const HASH_BYTES = 32
/** Bytes of a salt. */
export const SALT_BYTES = 16

const PHC = /^\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,2}),p=([0-9]{1,2})\$([A-Za-z0-9+/]+)={0,2}\$([A-Za-z0-9+/]+)={0,2}$/

/** The hash of a password as `_headers` has it, in the form of the PHC string format. `salt` is SALT_BYTES of chance. */
export async function hashPassword(password: string, salt: Uint8Array): Promise<string> {
  const { ln, r, p } = PARAMETERS
  const hash = await derive(password, salt, HASH_BYTES, PARAMETERS)
  return `$scrypt$ln=${ln},r=${r},p=${p}$${encode(salt)}$${encode(hash)}`
}

/** Whether a hash was made of a password; takes as long for a wrong one. Rejects with MAKI_INVALID for what is no such hash. */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const match = PHC.exec(hash)
  if (match === null) throw new MakiError('MAKI_INVALID', 'that is no hash of a password')
  const [, ln, r, p, salt, wanted] = match as unknown as [string, string, string, string, string, string]
  const bytes = Buffer.from(wanted, 'base64')
  const parameters = { ln: Number(ln), r: Number(r), p: Number(p) }
  return timingSafeEqual(await derive(password, Buffer.from(salt, 'base64'), bytes.length, parameters), bytes)
}

function derive(password: string, salt: Uint8Array, length: number, { ln, r, p }: typeof PARAMETERS): Promise<Buffer> {
  const N = 2 ** ln
  const options: ScryptOptions = { N, r, p, maxmem: 128 * N * r + 128 * r * p + 1024 * 1024 }
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, length, options, (error, key) => {
      if (error === null) resolve(key)
      else reject(new MakiError('MAKI_INVALID', 'that hash of a password cannot be checked', { cause: error }))
    })
  })
}

const encode = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '')
