import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { startDnsServer } from '../../../dns/index.ts'
import { ServerCookies } from '../../../dns/message/index.ts'
import type { Identity } from '../../../dns/service/index.ts'
import { serviceOf } from '../answering.ts'
import { NSID } from './fuzzing.ts'
import { servedTable } from './served-zone.ts'

/** A name server in a process of its own: says its port, and whenever it hears something, how it does. */

/** What the process says of itself. */
export interface ProcessReport {
  readonly port: number
  readonly pid: number
  readonly residentBytes: number
  readonly failed: number
  readonly malformed: number
}

const table = servedTable()
const identity: Identity = {
  cookies: new ServerCookies(Buffer.from(systemRuntime.randomBytes(16)).toString('hex')),
  nsid: NSID,
  version: 'makiatto',
  nowSeconds: () => Math.floor(systemRuntime.now() / 1000),
}
const server = await startDnsServer({
  service: serviceOf(() => table, {}, identity),
  host: '127.0.0.1',
  port: 0,
  log: silentLog,
  runtime: systemRuntime,
})
const report = () => {
  globalThis.gc?.()
  const { failed, malformed } = server.counters
  const said: ProcessReport = {
    port: server.address.port,
    pid: process.pid,
    residentBytes: process.memoryUsage.rss(),
    failed,
    malformed,
  }
  process.send?.(said)
}
process.on('message', report)
process.on('disconnect', () => process.exit())
report()
