import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findHostKey, type HostKey, type KnownKeys } from './host-key.ts'

/** A file of known hosts is not that long. */
const MOST_BYTES = 16 * 1024 * 1024

/** A line of `known_hosts` (sshd(8)). */
export interface KnownHost {
  readonly patterns: readonly string[]
  readonly key: HostKey
  readonly isRevoked: boolean
}

/**
 * Reads a file of known hosts. Comments, lines that cannot be read, and those of authorities that sign hosts' keys
 * (`@cert-authority`), which are not looked at here, are left out.
 */
export function parseKnownHosts(text: string): KnownHost[] {
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/[ \t]+/)
    const marker = words[0]?.startsWith('@') === true ? words.shift() : undefined
    const [names = '', type = '', base64 = ''] = words
    if (names === '' || names.startsWith('#')) return []
    if (marker !== undefined && marker !== '@revoked') return []
    const key = findHostKey(type, base64)
    return key === undefined ? [] : [{ patterns: names.split(','), key, isRevoked: marker === '@revoked' }]
  })
}

/** Which of the keys are those of a server; `name` as a person wrote it, a name or an address. */
export function findKnownKeys(hosts: readonly KnownHost[], name: string, port: number): Omit<KnownKeys, 'where'> {
  const lower = name.toLowerCase()
  const wanted = port === 22 ? lower : `[${lower}]:${port}`
  const found = hosts.filter(({ patterns }) => matches(patterns, wanted))
  return {
    keys: found.filter(({ isRevoked }) => !isRevoked).map(({ key }) => key),
    revoked: found.filter(({ isRevoked }) => isRevoked).map(({ key }) => key),
  }
}

/** What `~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts` say; a file that cannot be read says nothing. */
export async function readKnownKeys(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  port: number,
): Promise<KnownKeys> {
  const own = env.HOME === undefined || env.HOME === '' ? [] : [join(env.HOME, '.ssh', 'known_hosts')]
  const files = [...own, '/etc/ssh/ssh_known_hosts']
  const all = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(file, 'utf8').catch(() => '')
      return { file, ...findKnownKeys(parseKnownHosts(text.slice(0, MOST_BYTES)), name, port) }
    }),
  )
  return {
    keys: all.flatMap(({ keys }) => keys),
    revoked: all.flatMap(({ revoked }) => revoked),
    where: all.find(({ keys, revoked }) => keys.length + revoked.length > 0)?.file ?? (files[0] as string),
  }
}

/** One that is negated and fits rules the line out, whatever else fits. */
function matches(patterns: readonly string[], wanted: string): boolean {
  let isMatch = false
  for (const pattern of patterns) {
    const isNegated = pattern.startsWith('!')
    if (!fits(isNegated ? pattern.slice(1) : pattern, wanted)) continue
    if (isNegated) return false
    isMatch = true
  }
  return isMatch
}

function fits(pattern: string, wanted: string): boolean {
  const hashed = /^\|1\|([A-Za-z0-9+/=]+)\|([A-Za-z0-9+/=]+)$/.exec(pattern)
  if (hashed !== null) {
    const [, salt = '', hash = ''] = hashed
    const mine = createHmac('sha1', Buffer.from(salt, 'base64')).update(wanted).digest()
    return mine.equals(Buffer.from(hash, 'base64'))
  }
  return fitsGlob(pattern.toLowerCase(), wanted)
}

/** `*` stands for any number of characters, `?` for one; in time in proportion to both lengths, whatever the pattern is. */
function fitsGlob(pattern: string, text: string): boolean {
  let at = 0
  let star = -1
  let starAt = 0
  let p = 0
  while (at < text.length) {
    if (p < pattern.length && pattern[p] === '*') {
      star = p++
      starAt = at
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[at])) {
      p++
      at++
    } else if (star !== -1) {
      p = star + 1
      at = ++starAt
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}
