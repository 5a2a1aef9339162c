import { once } from 'node:events'
import type { ListenOptions, Server } from 'node:net'
import { MakiError } from '../../core/index.ts'

const NO_IPV6 = ['EAFNOSUPPORT', 'EADDRNOTAVAIL']

/**
 * Resolves when the server listens; rejects with the system's reason in our words, and the server closed. `::` becomes
 * `0.0.0.0` where there is no IPv6. With `fd` it takes over a socket that is bound, and host and port say nothing.
 */
export async function listen(
  server: Server,
  options: ListenOptions & { readonly fd?: number | undefined },
  where: string,
): Promise<void> {
  const { fd, ...address } = options
  if (fd !== undefined) return await listenOnce(server, { fd } as ListenOptions, where)
  try {
    await listenOnce(server, address, where)
  } catch (error) {
    const { cause } = error as { cause?: NodeJS.ErrnoException }
    if (options.host !== '::' || !NO_IPV6.includes(cause?.code ?? '')) throw error
    await listenOnce(server, { ...address, host: '0.0.0.0' }, where)
  }
}

async function listenOnce(server: Server, options: ListenOptions, where: string): Promise<void> {
  const listening = once(server, 'listening')
  server.listen(options)
  try {
    await listening
  } catch (thrown) {
    server.close()
    throw listenError(thrown as NodeJS.ErrnoException, where)
  }
}

/** Why a server cannot listen, in words. */
export function listenError(error: NodeJS.ErrnoException, where: string): MakiError {
  switch (error.code) {
    case 'EADDRINUSE':
      return new MakiError('MAKI_PORT_IN_USE', `${where} is used by another process`, {
        cause: error,
        hint: 'Stop that process, or choose another port.',
      })
    case 'EACCES':
      return new MakiError('MAKI_CONFIG', `listening on ${where} is not permitted`, {
        cause: error,
        hint: 'Choose a port from 1024 up or a folder that you own, or give the daemon the capability CAP_NET_BIND_SERVICE.',
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAFNOSUPPORT':
      return new MakiError('MAKI_CONFIG', `${where} is no address of this machine`, {
        cause: error,
        hint: 'See the addresses with: ip address. Use one of them, or [::] for all.',
      })
    default:
      return new MakiError('MAKI_INTERNAL', `listening on ${where} failed: ${error.message}`, { cause: error })
  }
}
