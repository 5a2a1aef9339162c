import { createHash } from 'node:crypto'
import { MakiError } from '../../core/index.ts'

/** A server's public key: its type, and the bytes that SSH sends (RFC 4253 section 6.6). */
export interface HostKey {
  readonly type: string
  readonly blob: Uint8Array
}

/** What the files of `ssh` know of one server. */
export interface KnownKeys {
  readonly keys: readonly HostKey[]
  readonly revoked: readonly HostKey[]
  /** The file that says so, for messages. */
  readonly where: string
}

/** What is to be thought of the key that a server proved. */
export type Verdict =
  | { readonly kind: 'trusted' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'revoked'; readonly where: string }
  | { readonly kind: 'other'; readonly expected: readonly HostKey[]; readonly where: string }

const TYPE = /^[a-z][a-z0-9@.-]{2,63}$/
const LONGEST_BLOB = 16 * 1024

/** Reads `TYPE BASE64`, as `known_hosts` and the profile have it. Throws MAKI_CONFIG for what is no such key. */
export function parseHostKey(text: string): HostKey {
  const [type = '', base64 = '', ...rest] = text.trim().split(/\s+/)
  const key = rest.length === 0 ? findHostKey(type, base64) : undefined
  if (key !== undefined) return key
  throw new MakiError('MAKI_CONFIG', `the pinned host key ${JSON.stringify(text.slice(0, 40))} is none`, {
    hint: 'It looks like: host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA…", a line of ssh-keyscan without the name.',
  })
}

/** The key of two words, or undefined where they are none, or do not agree about the type. */
export function findHostKey(type: string, base64: string): HostKey | undefined {
  if (!TYPE.test(type) || base64.length > LONGEST_BLOB || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined
  const blob = Buffer.from(base64, 'base64')
  return findBlobType(blob) === type ? { type, blob } : undefined
}

/** Reads the bytes of a key as a server sends them; undefined where they do not begin with a type. */
export function readHostKey(blob: Uint8Array): HostKey | undefined {
  const type = findBlobType(blob)
  return type === undefined || !TYPE.test(type) ? undefined : { type, blob: Uint8Array.from(blob) }
}

export function formatHostKey({ type, blob }: HostKey): string {
  return `${type} ${Buffer.from(blob).toString('base64')}`
}

/** As `ssh-keygen -lf` prints it: `SHA256:` and base64 without padding. */
export function formatFingerprint({ blob }: Pick<HostKey, 'blob'>): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

/** A pinned key decides alone; else what `known_hosts` has of the server does. */
export function judgeHostKey(offered: HostKey, pinned: HostKey | undefined, known: KnownKeys): Verdict {
  if (known.revoked.some((key) => isSameKey(key, offered))) return { kind: 'revoked', where: known.where }
  if (pinned !== undefined) {
    return isSameKey(pinned, offered)
      ? { kind: 'trusted' }
      : { kind: 'other', expected: [pinned], where: 'the profile' }
  }
  if (known.keys.length === 0) return { kind: 'unknown' }
  if (known.keys.some((key) => isSameKey(key, offered))) return { kind: 'trusted' }
  return { kind: 'other', expected: known.keys, where: known.where }
}

/**
 * Algorithms of host keys in the order in which they are asked for: a server that has several keys shall show the one that is
 * known. Those that sign with SHA-1 are not among them.
 */
export function orderHostKeyAlgorithms(known: readonly HostKey[]): string[] {
  const types = new Set(known.map(({ type }) => type))
  const isKnown = (algorithm: string) => types.has(algorithm.startsWith('rsa-sha2-') ? 'ssh-rsa' : algorithm)
  return [...ALGORITHMS.filter(isKnown), ...ALGORITHMS.filter((algorithm) => !isKnown(algorithm))]
}

const ALGORITHMS = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
]

const isSameKey = (a: HostKey, b: HostKey): boolean => Buffer.compare(a.blob, b.blob) === 0

function findBlobType(blob: Uint8Array): string | undefined {
  if (blob.length < 8 || blob.length > LONGEST_BLOB) return undefined
  const length = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength).readUInt32BE(0)
  if (length > 64 || 4 + length >= blob.length) return undefined
  return Buffer.from(blob.subarray(4, 4 + length)).toString('latin1')
}
