import type { ControlServer, ControlServerOptions } from './control-options.ts'

/**
 * Serves the control API on a unix socket. Resolves when it listens; rejects with MAKI_LOCKED when a live daemon owns
 * the path, or MAKI_CONFIG.
 */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  // h3 is loaded where a server runs: it would be a fifth of the start of every command and of every edge worker.
  const { serveControl } = await import('./control-server.ts')
  return serveControl(options)
}
