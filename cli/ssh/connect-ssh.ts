import type { LoginOptions } from './login.ts'
import type { SshConnection } from './ssh-connection.ts'

/**
 * Connects to a server and proves who we are. Throws MAKI_UNREACHABLE where it cannot be reached or lets none of our keys in,
 * MAKI_CONFLICT where it shows another key than the known one, MAKI_USAGE for key files that cannot be used and for a host
 * key that nobody vouches for.
 */
export async function connectSsh(options: LoginOptions): Promise<SshConnection> {
  // Loaded here, with ssh2: most commands ask a node of this computer, or none.
  const [{ logIn }, connection] = await Promise.all([import('./login.ts'), import('./ssh-connection.ts')])
  return new connection.SshConnection(options.target, await logIn(options), options.runtime)
}
