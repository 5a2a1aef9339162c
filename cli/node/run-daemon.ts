import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { asMakiError, type Log } from '../../core/index.ts'
import type { DaemonConfig } from '../config/index.ts'
import { readPackageInfo } from '../program/package-info.ts'
import { createJsonLog, systemRuntime } from '../system.ts'
import { LogTail } from './log-tail.ts'
import { type Node, startNode } from './node.ts'
import { endWorkers } from './orphans.ts'
import type { Parts } from './parts.ts'
import { openServiceManager } from './service-manager.ts'
import { rememberUnit } from './service-unit.ts'

/** Set by `maki dev`: the node ends when its standard input does, so that none outlives a parent that was killed. */
const STDIN_VARIABLE = 'MAKIATTO_EXIT_WITH_STDIN'
/** A node that cannot close in this time is ended; its store is safe at any moment. */
const CLOSE_MS = 20_000

/** Why the daemon ends. `hand-over`: its workers serve on, until those of the next one have taken over. */
interface End {
  readonly kind: 'stop' | 'hand-over'
  readonly reason: string
}

/**
 * Runs a node until it is told to end. Log lines go to standard output; `node.ready` says that all listen, and where, as does
 * the word to the service manager. SIGTERM ends the workers too, those of an earlier daemon among them; SIGUSR2 leaves them.
 */
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
  // Timers of the runtime do not keep a process alive that waits for others to end.
  const awake = new MessageChannel().port1
  awake.on('message', () => {})
  rememberUnit(process.env)
  const manager = await openServiceManager(process.env, { runtime: systemRuntime, log, pid: process.pid })
  const { version } = readPackageInfo()
  log.info('node.starting', { version, pid: process.pid })
  for (const warning of config.warnings) log.warn('config.warning', { warning })
  const starting = startNode({ config, parts, version, runtime: systemRuntime, log, logs })
  const isReady = await Promise.race([starting.then(() => true), told.then(() => false)]).catch((fault: unknown) => {
    // One that could not start ends: whoever started it waits for that. Its log says why, whoever reads it.
    log.error('node.not-started', { error: asMakiError(fault) })
    awake.close()
    systemRuntime.after(CLOSE_MS, () => process.exit(1))
    throw fault
  })
  if (isReady) {
    log.info('node.ready', { ...(await starting).addresses, pid: process.pid })
    manager.ready(`${config.node.name}, version ${version}: serving`)
  }
  const { kind, reason } = await told
  log.info('node.stopping', { reason, workers: kind === 'stop' ? 'end' : 'serve on' })
  manager.stopping(kind === 'stop' ? 'answering what is under way' : 'the next one takes over')
  systemRuntime.after(CLOSE_MS, () => {
    log.error('node.stop-timed-out', { afterMs: CLOSE_MS })
    const ended = kind === 'stop' ? endLeft(config, log) : Promise.resolve()
    void ended.finally(() => process.exit(1))
  })
  if (isReady) await close(await starting, kind)
  // One that was still starting comes to its end first: it would start workers that nobody ends.
  else
    await starting.then(
      (node) => node[Symbol.asyncDispose](),
      () => {},
    )
  if (kind === 'stop') await endLeft(config, log)
  log.info('node.stopped')
  process.exit(0)
}

async function close(node: Node, kind: End['kind']): Promise<void> {
  if (kind === 'hand-over') node.handOver()
  await node[Symbol.asyncDispose]()
}

/** Those that were sent away and still answer, and those of a daemon whose successor never came so far. */
async function endLeft({ node }: DaemonConfig, log: Log): Promise<void> {
  await endWorkers({ register: join(node.data_dir, 'workers'), runtime: systemRuntime, log })
}

function waitForEnd(): Promise<End> {
  return new Promise((resolve) => {
    const stop = (reason: string) => resolve({ kind: 'stop', reason })
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop(signal))
    process.on('SIGUSR2', () => resolve({ kind: 'hand-over', reason: 'SIGUSR2' }))
    if (process.env[STDIN_VARIABLE] === undefined) return
    process.stdin.on('error', () => stop('parent gone'))
    process.stdin.on('close', () => stop('parent gone'))
    process.stdin.on('end', () => stop('parent gone'))
    process.stdin.resume()
    // A node that could not start ends, though whoever started it still holds the other end.
    if ('unref' in process.stdin) process.stdin.unref()
  })
}
