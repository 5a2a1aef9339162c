import { RuleFault } from './rule-file.ts'

/** Who may see a path. */
export interface Credential {
  readonly user: string
  /** `$scrypt$ln=…,r=…,p=…$salt$hash`, its parameters within bounds. */
  readonly hash: string
}

const SCRYPT =
  /^\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,2}),p=([0-9]{1,2})\$[A-Za-z0-9+/]{11,86}={0,2}\$[A-Za-z0-9+/]{22,86}={0,2}$/

/** What checking one password may take: 128 * 2^ln * r bytes, p times. */
const MAX_MEMORY_BYTES = 64 * 1024 * 1024
const MAX_PASSES = 4

/** Users with the hashes of their passwords, `user:$scrypt$…`, several with spaces between. Throws RuleFault. */
export function parseCredentials(value: string): readonly Credential[] {
  return value.split(/\s+/).map((token) => {
    const colon = token.indexOf(':')
    const user = token.slice(0, colon)
    const hash = token.slice(colon + 1)
    if (colon < 1)
      throw new RuleFault('a user is missing', 'Write Basic-Auth: user:hash; maki password makes the line.')
    const match = SCRYPT.exec(hash)
    if (match === null)
      throw new RuleFault(
        `what stands after ${JSON.stringify(user)} is no hash of a password`,
        'Passwords are not published in clear, not even to your own nodes. Type maki password, and paste the line that it prints.',
      )
    const [ln, r, p] = match.slice(1).map(Number) as [number, number, number]
    if (ln < 1 || r < 1 || p < 1 || 128 * 2 ** ln * r > MAX_MEMORY_BYTES || p > MAX_PASSES)
      throw new RuleFault('checking this hash would take too much memory', 'Make another one with maki password.')
    return { user, hash }
  })
}
