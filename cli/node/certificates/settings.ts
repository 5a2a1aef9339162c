import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { MakiError } from '../../../core/index.ts'
import type { AccountBinding } from '../../../edge/index.ts'
import type { DaemonConfig } from '../../config/index.ts'

/** How a node gets certificates. */
export interface CertificateSettings {
  /** Of authorities: the one that is wanted, then those that help out. */
  readonly directories: readonly string[]
  readonly email: string
  /** What of several kinds of certificates is asked for; the authority's own choice where it is undefined. */
  readonly profile: string | undefined
  /** Of the wanted authority's customer. Never to be logged. */
  readonly binding: AccountBinding | undefined
  /** PEM of who vouches for a private authority. */
  readonly ca: string | undefined
}

const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory'
const LETS_ENCRYPT_STAGING = 'https://acme-staging-v02.api.letsencrypt.org/directory'
/** In the folder of keys, like all that is private. */
const BINDING_FILE = join('keys', 'acme-eab')

/** Reads the files that the configuration names. Throws MAKI_CONFIG for one that is not there or is none. */
export async function readCertificateSettings({ acme, node }: DaemonConfig): Promise<CertificateSettings> {
  const { email, directory, staging, profile, fallback_directories: others, ca_file: caFile } = acme
  const wanted = directory ?? (staging ? LETS_ENCRYPT_STAGING : LETS_ENCRYPT)
  return {
    directories: [...new Set([wanted, ...others])],
    email,
    profile,
    binding: acme.eab_key_id === undefined ? undefined : await readBinding(acme.eab_key_id, node.data_dir),
    ca: caFile === undefined ? undefined : await readText(caFile, 'the certificate of [acme] ca_file'),
  }
}

async function readBinding(keyId: string, dataDirectory: string): Promise<AccountBinding> {
  const file = join(dataDirectory, BINDING_FILE)
  const hmacKey = (await readText(file, 'the key that belongs to [acme] eab_key_id')).trim().replace(/=+$/, '')
  if (!/^[A-Za-z0-9_-]{8,1000}$/.test(hmacKey)) {
    throw new MakiError('MAKI_CONFIG', `${file} does not hold a key in base64url`, {
      hint: 'Write the HMAC key that the authority gave you there, and nothing else.',
    })
  }
  if (((await stat(file)).mode & 0o077) !== 0) {
    throw new MakiError('MAKI_CONFIG', `${file} can be read by others than its owner`, {
      hint: `Let nobody else read it: chmod 600 ${file}`,
    })
  }
  return { keyId, hmacKey }
}

async function readText(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new MakiError('MAKI_CONFIG', `${what} cannot be read: ${file}`, {
      cause,
      hint: 'Write it there, readable for the user makiatto, or take the key out of [acme].',
    })
  }
}
