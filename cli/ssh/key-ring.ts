import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ParsedKey, utils } from 'ssh2'
import { asMakiError, MakiError } from '../../core/index.ts'
import { findKeySeed } from '../client/identity.ts'
import { askInTurn, type Questions } from './questions.ts'
import type { SshOptions } from './ssh-options.ts'

/** A key that proves who we are. */
export interface Identity {
  /** Where it comes from, for messages. */
  readonly label: string
  /** As SSH sends it (RFC 4253 section 6.6). */
  readonly publicKey: Buffer
  /** The signature; throws MAKI_USAGE where the key cannot be opened. */
  sign(data: Buffer, hash: string | undefined): Promise<Buffer>
}

/** A key that cannot be used, and why: said when no other is let in. */
export interface Unusable {
  readonly label: string
  readonly why: string
}

/** Where keys are looked for. */
export type KeyRingOptions = Pick<
  SshOptions,
  'keyFile' | 'makiKeyFile' | 'operatorKeyFile' | 'ask' | 'askSecret' | 'env'
>

/** In `~/.ssh`, in this order. */
const USUAL_FILES = ['id_ed25519', 'id_rsa', 'id_ecdsa']
/** Wrong passphrases until a key is given up. */
const TRIES = 3

/**
 * The keys of a person, for all connections of a command: files are read once, and a passphrase is asked for once, and only
 * when a server would take the key. ssh2 is loaded with the first key: most commands have a ring and connect to no server.
 */
export class KeyRing {
  readonly questions: Questions
  readonly #options: KeyRingOptions
  readonly #opened = new Map<string, Promise<ParsedKey>>()

  constructor(options: KeyRingOptions) {
    this.#options = options
    this.questions = askInTurn(options)
  }

  /**
   * The keys in the order in which they are offered: the named file, the makiatto key, those of the agent, the usual files,
   * the operator's. Throws MAKI_USAGE or MAKI_NOT_FOUND where a key that was named cannot be used.
   */
  async *list(): AsyncGenerator<Identity | Unusable> {
    const { keyFile, makiKeyFile, operatorKeyFile } = this.#options
    if (keyFile !== undefined) yield await this.#requireFile(keyFile)
    if (makiKeyFile !== undefined) {
      const label = `the makiatto key ${makiKeyFile}`
      const seed = await findKeySeed(makiKeyFile)
      if (seed === undefined)
        throw new MakiError('MAKI_NOT_FOUND', `there is no key file ${makiKeyFile}`, {
          hint: 'Give the path of a key file with --key or MAKIATTO_KEY.',
        })
      yield await identityOf(label, seed)
    }
    yield* this.#listAgent()
    for (const name of USUAL_FILES) {
      const path = join(this.#options.env.HOME || homedir(), '.ssh', name)
      const found = await this.#findFile(path).catch((error: unknown) => ({
        label: path,
        why: asMakiError(error).message.replace(`the key file ${path} `, 'it '),
      }))
      if (found !== undefined) yield found
    }
    if (operatorKeyFile !== undefined) {
      const label = `the operator's key ${operatorKeyFile}`
      try {
        const seed = await findKeySeed(operatorKeyFile)
        if (seed !== undefined) yield await identityOf(label, seed)
      } catch (error) {
        yield { label, why: asMakiError(error).message }
      }
    }
  }

  async *#listAgent(): AsyncGenerator<Identity | Unusable> {
    const path = this.#options.env.SSH_AUTH_SOCK
    if (path === undefined || path === '') return
    const { default: ssh2 } = await import('ssh2')
    const agent = new ssh2.OpenSSHAgent(path)
    const keys = await new Promise<readonly unknown[] | undefined>((done) => {
      agent.getIdentities((error, found) => done(error ? undefined : (found ?? [])))
    })
    if (keys === undefined) return yield { label: 'ssh-agent', why: 'it does not answer (SSH_AUTH_SOCK)' }
    if (keys.length === 0) yield { label: 'ssh-agent', why: 'it holds no key (ssh-add)' }
    for (const offered of keys) {
      const key = toParsedKey(offered, ssh2.utils.parseKey)
      if (key === undefined) {
        yield { label: 'a key of ssh-agent', why: 'it is of a kind that is not known here' }
        continue
      }
      yield {
        label: `the key of ssh-agent ${JSON.stringify(key.comment || key.type)}`,
        publicKey: key.getPublicSSH(),
        sign: (data, hash) =>
          new Promise<Buffer>((done, fail) => {
            const options = hash === undefined ? {} : { hash: hash as 'sha256' }
            agent.sign(key, data, options, (error, signature) => {
              if (signature !== undefined && !error) done(signature)
              else fail(new MakiError('MAKI_USAGE', 'ssh-agent did not sign', { cause: error }))
            })
          }),
      }
    }
  }

  async #requireFile(path: string): Promise<Identity> {
    const found = await this.#findFile(path)
    if (found !== undefined) return found
    throw new MakiError('MAKI_USAGE', `there is no key file ${path}`, {
      hint: 'Name a private key with --ssh-priv-key FILE.',
    })
  }

  async #findFile(path: string): Promise<Identity | undefined> {
    const { findPrivateKey } = await import('./key-file.ts')
    const file = await findPrivateKey(path)
    if (file === undefined) return undefined
    if (file.kind === 'open') return fromParsed(path, file.key.getPublicSSH(), async () => file.key)
    const open = (): Promise<ParsedKey> => this.#unlock(path, file.text)
    return fromParsed(path, file.publicKey ?? (await open()).getPublicSSH(), open)
  }

  #unlock(path: string, text: string): Promise<ParsedKey> {
    const known = this.#opened.get(path)
    if (known !== undefined) return known
    const opening = this.#askPassphrase(path, text)
    this.#opened.set(path, opening)
    return opening
  }

  async #askPassphrase(path: string, text: string): Promise<ParsedKey> {
    const { askSecret } = this.questions
    if (askSecret === undefined)
      throw new MakiError(
        'MAKI_USAGE',
        `the key file ${path} has a passphrase, and there is no terminal to ask for it`,
        {
          hint: 'Give it to ssh-agent (ssh-add), or name another key with --ssh-priv-key FILE.',
        },
      )
    const { unlockKey } = await import('./key-file.ts')
    for (let tries = 0; tries < TRIES; tries++) {
      const typed = await askSecret(`Passphrase of ${path}: `)
      if (typed === '') break
      const key = unlockKey(text, typed)
      if (key !== undefined) return key
    }
    throw new MakiError('MAKI_USAGE', `the key file ${path} was not opened: the passphrase is another one`, {
      hint: 'Try again, or name another key with --ssh-priv-key FILE.',
    })
  }
}

/** True for a key that can be offered. */
export const isUsable = (one: Identity | Unusable): one is Identity => 'publicKey' in one

function fromParsed(path: string, publicKey: Buffer, open: () => Promise<ParsedKey>): Identity {
  return { label: path, publicKey, sign: async (data, hash) => (await open()).sign(data, hash) }
}

async function identityOf(label: string, seed: Uint8Array): Promise<Identity> {
  const { buildSeedKey } = await import('./key-file.ts')
  const { publicKey, sign } = buildSeedKey(seed)
  return { label, publicKey, sign: async (data) => sign(data) }
}

function toParsedKey(offered: unknown, parseKey: typeof utils.parseKey): ParsedKey | undefined {
  if (typeof offered === 'object' && offered !== null && 'getPublicSSH' in offered) return offered as ParsedKey
  const inner = (offered as { pubKey?: unknown } | null)?.pubKey
  const bytes = Buffer.isBuffer(offered) ? offered : inner
  if (typeof bytes === 'object' && bytes !== null && 'getPublicSSH' in bytes) return bytes as ParsedKey
  if (!Buffer.isBuffer(bytes) && typeof bytes !== 'string') return undefined
  const parsed = parseKey(bytes)
  return parsed instanceof Error ? undefined : Array.isArray(parsed) ? parsed[0] : parsed
}
