import { systemRuntime } from '../../../cli/system.ts'
import { openOutgoing } from '../../../edge/outgoing/index.ts'
import { GuestClient } from './guest-client.ts'

/**
 * A node in a network of its own, with the network of guests as it is in production. Does what it is told by its arguments,
 * `tcp ADDRESS PORT`, `http URL` or `resolve NAME` each in one, and says what came of it as lines of JSON.
 */
await using outgoing = openOutgoing({
  runtime: systemRuntime,
  log: { warn() {} },
  resolvers: ['1.2.3.4:20053'],
  ownAddresses: () => ['5.6.7.8'],
})

let last = ''
for (const [i, told] of process.argv.slice(2).entries()) {
  const [what = '', where = '', port = ''] = told.split(' ')
  // Not all as one domain: this is not about its bounds.
  const guest = new GuestClient(outgoing.session({ domain: `${i >> 5}.example`, name: 'x' }))
  if (what === 'tcp') last = await guest.tryConnect(where, Number(port))
  else if (what === 'http') last = await guest.tryFetch(where)
  else last = await guest.resolve(where)
  guest.session.close()
  process.stdout.write(`${JSON.stringify({ told, last })}\n`)
}
process.stdout.write(`${JSON.stringify({ counters: outgoing.counters })}\n`)
