import type { DaemonConfig } from '../config/index.ts'
import { readPackageInfo } from '../program/package-info.ts'
import { createJsonLog, systemRuntime } from '../system.ts'
import { LogTail } from './log-tail.ts'
import { startNode } from './node.ts'
import type { Parts } from './parts.ts'

/** Set by `maki dev`: the node ends when its standard input does, so that none outlives a parent that was killed. */
const STDIN_VARIABLE = 'MAKIATTO_EXIT_WITH_STDIN'
/** A node that cannot close in this time is ended; its store is safe at any moment. */
const CLOSE_MS = 20_000

/** Runs a node until it is told to end. Log lines go to standard output; `node.ready` says that all listen, and where. */
export async function runDaemon(config: DaemonConfig, parts: Parts): Promise<void> {
  const logs = new LogTail(systemRuntime)
  const write = (line: string): void => {
    process.stdout.write(line)
    logs.add(line)
  }
  const log = createJsonLog(write, systemRuntime, { node: config.node.name })
  // Whoever read our log may be gone; that is no reason to end.
  process.stdout.on('error', () => {})
  const told = waitForEnd()
  for (const warning of config.warnings) log.warn('config.warning', { warning })
  const node = await startNode({ config, parts, version: readPackageInfo().version, runtime: systemRuntime, log, logs })
  log.info('node.ready', { ...node.addresses, pid: process.pid })
  const reason = await told
  log.info('node.stopping', { reason })
  systemRuntime.after(CLOSE_MS, () => {
    log.error('node.stop-timed-out', { afterMs: CLOSE_MS })
    process.exit(1)
  })
  await node[Symbol.asyncDispose]()
  log.info('node.stopped')
  process.exit(0)
}

function waitForEnd(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve(signal))
    if (process.env[STDIN_VARIABLE] === undefined) return
    process.stdin.on('error', () => resolve('parent gone'))
    process.stdin.on('close', () => resolve('parent gone'))
    process.stdin.on('end', () => resolve('parent gone'))
    process.stdin.resume()
    // A node that could not start ends, though whoever started it still holds the other end.
    if ('unref' in process.stdin) process.stdin.unref()
  })
}
