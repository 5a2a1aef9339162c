import { MakiError } from '../../core/index.ts'
import type { Privilege, SshHost } from './ssh-host.ts'
import type { Ask } from './ssh-options.ts'

/**
 * Finds out how commands run as root: as root, by `sudo` without a password, or with one that is asked for, tried, and asked
 * for again up to three times. Throws MAKI_USAGE with the reason where none of it works: no sudo, not in sudoers, a terminal
 * required, nobody to ask.
 */
export async function requirePrivilege(host: SshHost, askSecret: Ask | undefined): Promise<Privilege> {
  throw new MakiError('MAKI_UNSUPPORTED', `${host.target.host} ${askSecret === undefined}`)
}
