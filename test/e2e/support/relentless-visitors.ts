/**
 * Visitors of several addresses that never pause, and of whichever address DNS names, for who sits at a switch:
 * `relentless-visitors.ts HOST STOP ADDRESS…`. Says `round` when each of them got some answers; once the file STOP is there,
 * what all met, as one line of JSON.
 */
import { existsSync } from 'node:fs'
import { Relentless } from './relentless.ts'
import { RelentlessAsker } from './relentless-asker.ts'

const SOME = 10
const PAUSE_MS = 50
const [host = '', stop = '', ...addresses] = process.argv.slice(2)

const clients: Readonly<Record<string, Relentless | RelentlessAsker>> = Object.fromEntries(
  addresses.flatMap((address) => [
    [`kept at ${address}`, new Relentless({ address, pauseMs: PAUSE_MS, port: 80, host, connections: 'kept' })],
    [`new at ${address}`, new Relentless({ address, pauseMs: PAUSE_MS, port: 80, host, connections: 'new' })],
    [
      `DNS over UDP at ${address}`,
      new RelentlessAsker({ address, pauseMs: PAUSE_MS, port: 53, name: host, transport: 'udp' }),
    ],
    [
      `DNS over TCP at ${address}`,
      new RelentlessAsker({ address, pauseMs: PAUSE_MS, port: 53, name: host, transport: 'tcp' }),
    ],
  ]),
)

while (!existsSync(stop)) {
  await Promise.all(Object.values(clients).map((client) => client.moreAnswers(SOME)))
  console.log('round')
}
const met = await Promise.all(Object.entries(clients).map(async ([kind, client]) => [kind, await client.stop()]))
console.log(JSON.stringify(Object.fromEntries(met)))
process.exit(0)
