import t from 'tap'
import { respond } from '../../../dns/service/index.ts'
import { buildZone } from '../../../dns/zone/index.ts'
import { ZoneTable } from '../../../dns/zone/zone-table.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { contextOf } from '../answering.ts'
import { ClusterState, domainSet, host, nodeJoin, recordSet } from '../cluster-state.ts'
import { rawQuery, readMessage } from '../wire-message.ts'

/** Labels hold any octets (RFC 2181 section 11); a wildcard lets data lead to such names, and messages own records there. */

const MX = 15

/** As data spells it, and as `readMessage` reads it. */
function oddName(random: Random): { readonly text: string; readonly read: string } {
  const labels = Array.from({ length: 1 + random.integer(3) }, () =>
    // 63 octets are 252 characters of a key, more than a length octet may say.
    random.bytes(random.chance(0.3) ? 63 : 1 + random.integer(20)),
  )
  const spell = (octet: number) => `\\${String(octet).padStart(3, '0')}`
  return {
    text: labels.map((label) => Array.from(label, spell).join('')).join('.'),
    read: labels.map((label) => Buffer.from(label).toString('latin1').toLowerCase()).join('.'),
  }
}

for (const seed of seeds(100)) {
  t.test(`names of any octets own records as they are (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const [first, second] = [oddName(random), oddName(random)]
    const cluster = new ClusterState()
    cluster.commit(domainSet('example.com'), nodeJoin(1, 'one'))
    cluster.commit(
      recordSet('example.com', '*.w', 'A', ['192.0.2.1']),
      recordSet('example.com', 'c', 'CNAME', [`${first.text}.w.example.com.`]),
      recordSet('example.com', 'm', 'MX', [`1 ${first.text}.w.example.com.`, `2 ${second.text}.w.example.com.`]),
    )
    const zone = buildZone(cluster.state, host('example.com'))?.zone
    const context = contextOf({ table: ZoneTable.of(zone === undefined ? [] : [zone]), transport: 'tcp' })
    const ask = (name: string, type: number) => {
      const reply = respond(rawQuery({ name, type }), context)
      if (reply.kind === 'drop') throw new Error('there is no reply')
      return readMessage(Buffer.from(reply.bytes))
    }
    const chain = ask('c.example.com', 1).answers
    t.strictSame(
      chain.map(({ name, type }) => [name, type]),
      [
        ['c.example.com', 5],
        [`${first.read}.w.example.com`, 1],
      ],
    )
    const owners = new Set([first, second].map(({ read }) => `${read}.w.example.com`))
    t.strictSame(new Set(ask('m.example.com', MX).additionals.map(({ name }) => name)), owners)
  })
}
