import { asMakiError, MakiError, type Runtime } from '../../core/index.ts'
import { ControlClient } from '../client/control-client.ts'
import type { DaemonConfig } from '../config/index.ts'
import { probeDns, probeHttp } from '../health/index.ts'
import { pause, readUnitState } from './daemon-unit.ts'

/** What a daemon had before it was replaced. */
export interface Noted {
  readonly operations: number
  readonly isDamaged: boolean
}

const PROBE_MS = 5_000
/** Old workers take no new visitor by then: who answers is a new one. */
const SETTLE_MS = 1_000
const ROUNDS = 3
const ROUND_MS = 200

/** Undefined where no daemon answers. */
export async function noteDaemon(config: DaemonConfig, runtime: Runtime): Promise<Noted | undefined> {
  using client = openClient(config, runtime)
  try {
    return await readNoted(client)
  } catch {
    return undefined
  }
}

/**
 * Resolves when the daemon `pid` knows what the one before knew, and DNS and HTTP answer on this server several times in a
 * row, while it is still the same process. Rejects with the last reason at the deadline, or at once when it has ended.
 */
export async function awaitServing(
  config: DaemonConfig,
  { pid, noted, runtime, deadlineMs }: { pid: number; noted: Noted | undefined; runtime: Runtime; deadlineMs: number },
): Promise<void> {
  await pause(runtime, SETTLE_MS)
  for (let good = 0; good < ROUNDS; ) {
    const { mainPid, active } = await readUnitState()
    if (mainPid !== pid || active !== 'active') throw new MakiError('MAKI_NO', 'it ended soon after it was ready')
    const fault = await findFault(config, noted, runtime)
    good = fault === undefined ? good + 1 : 0
    if (fault !== undefined && runtime.monotonic() > deadlineMs) throw new MakiError('MAKI_NO', fault)
    await pause(runtime, ROUND_MS)
  }
}

async function findFault(
  config: DaemonConfig,
  noted: Noted | undefined,
  runtime: Runtime,
): Promise<string | undefined> {
  using client = openClient(config, runtime)
  try {
    const status = await client.status({ answerMs: PROBE_MS })
    const own = status.nodes.find(({ key }) => key === status.self)
    if (own === undefined) return 'it does not find itself in the cluster'
    const { operations, isDamaged } = await readNoted(client)
    if (noted !== undefined && operations < noted.operations)
      return `it has ${operations} operations, and ${noted.operations} were there before`
    if (isDamaged && noted?.isDamaged !== true) return 'it reports that its store is damaged'
    const { dns, http } = own.serves ?? {}
    const to = { runtime, timeoutMs: PROBE_MS }
    const outcomes = await Promise.all([
      dns === undefined ? undefined : probeDns({ ...to, host: reach(config.dns.addr.host), port: dns, name: '' }),
      http === undefined
        ? undefined
        : probeHttp({
            ...to,
            host: reach(config.web.http_addr.host),
            port: http,
            domain: undefined,
            version: own.version ?? '',
          }),
    ])
    const [ofDns, ofHttp] = outcomes
    if (ofDns?.kind === 'down') return `DNS: ${ofDns.reason}`
    return ofHttp?.kind === 'down' ? `HTTP: ${ofHttp.reason}` : undefined
  } catch (thrown) {
    return asMakiError(thrown).message
  }
}

async function readNoted(client: ControlClient): Promise<Noted> {
  const { damaged } = await client.status({ answerMs: PROBE_MS })
  const operations = Number(/^makiatto_operations (\d+)$/m.exec(await client.metrics())?.[1] ?? Number.NaN)
  if (Number.isNaN(operations)) throw new MakiError('MAKI_PROTOCOL', 'it does not say how many operations it has')
  return { operations, isDamaged: damaged !== undefined }
}

const openClient = (config: DaemonConfig, runtime: Runtime): ControlClient =>
  new ControlClient({ socketPath: config.node.control, name: config.node.name, runtime })

/** Where a socket that listens everywhere is reached from here. */
const reach = (host: string): string => (host === '::' || host === '0.0.0.0' ? '127.0.0.1' : host)
