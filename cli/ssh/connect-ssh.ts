import { MakiError } from '../../core/index.ts'
import type { SshHost } from './ssh-host.ts'
import type { SshOptions } from './ssh-options.ts'

/**
 * Connects to a server and proves who we are. Throws MAKI_UNREACHABLE where it cannot be reached or lets none of our keys in,
 * MAKI_OPERATION_REFUSED where the server has another key than the pinned one, MAKI_USAGE for key files that cannot be used.
 */
export async function connectSsh(options: SshOptions): Promise<SshHost> {
  throw new MakiError('MAKI_UNSUPPORTED', `${options.target.host} is not reached yet`)
}
