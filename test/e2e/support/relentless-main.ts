/**
 * Visitors of one address that never pause, for who sits at a switch: `relentless-main.ts ADDRESS HOST SECURE CA STOP`. Says
 * `round` whenever each of them got some more answers; once the file STOP is there, what all met, as one line of JSON.
 */
import { existsSync, readFileSync } from 'node:fs'
import { Relentless } from './relentless.ts'
import { RelentlessAsker } from './relentless-asker.ts'

const SOME = 10
/** A connection each of these: hundreds of them while a node hands over. */
const PAUSE_MS = 10
const [address = '', host = '', secure = '', caFile = '', stop = ''] = process.argv.slice(2)
const ca = readFileSync(caFile, 'utf8')

const clients = {
  kept: new Relentless({ address, pauseMs: PAUSE_MS, port: 80, host, connections: 'kept' }),
  new: new Relentless({ address, pauseMs: PAUSE_MS, port: 80, host, connections: 'new' }),
  'kept over TLS': new Relentless({ address, pauseMs: PAUSE_MS, port: 443, host: secure, connections: 'kept', ca }),
  'new over TLS': new Relentless({ address, pauseMs: PAUSE_MS, port: 443, host: secure, connections: 'new', ca }),
  'DNS over UDP': new RelentlessAsker({ address, pauseMs: PAUSE_MS, port: 53, name: host, transport: 'udp' }),
  'DNS over TCP': new RelentlessAsker({ address, pauseMs: PAUSE_MS, port: 53, name: host, transport: 'tcp' }),
}

while (!existsSync(stop)) {
  await Promise.all(Object.values(clients).map((client) => client.moreAnswers(SOME)))
  console.log('round')
}
const met = await Promise.all(Object.entries(clients).map(async ([kind, client]) => [kind, await client.stop()]))
console.log(JSON.stringify(Object.fromEntries(met)))
process.exit(0)
