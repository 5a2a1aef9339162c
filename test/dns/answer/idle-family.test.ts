import { decode, encode } from 'dns-packet'
import t from 'tap'
import { type Change, listNodes, type NodeStanding, type Standing } from '../../../core/index.ts'
import { respond } from '../../../dns/service/respond.ts'
import { Steering } from '../../../dns/steering/steering.ts'
import { buildZone } from '../../../dns/zone/build-zone.ts'
import { ZoneTable } from '../../../dns/zone/zone-table.ts'
import { contextOf } from '../answering.ts'
import { ClusterState, domainSet, host, nodeJoin, recordSet } from '../cluster-state.ts'

/** Which addresses are named while a family answers on no node. */

const cluster = new ClusterState()
cluster.commit(nodeJoin(1, 'tokyo'), nodeJoin(2, 'berlin'), domainSet('example.com'))
const geo = (name: string, type: string): Change =>
  ({ ...recordSet('example.com', name, type, []), geo: true }) as Change
cluster.commit(geo('both', 'A'), geo('both', 'AAAA'), geo('six', 'AAAA'))
const table = ZoneTable.of([buildZone(cluster.state, host('example.com'))?.zone ?? []].flat())
const nodes = listNodes(cluster.state)

function count(name: string, type: 'A' | 'AAAA', ...standings: readonly [ipv4: Standing, ipv6: Standing][]): number {
  const said = nodes.map(({ key }, i): [typeof key, NodeStanding] => {
    const [ipv4, ipv6] = standings[i % standings.length] as [Standing, Standing]
    return [key, { ipv4, ipv6, behind: false }]
  })
  const steering = new Steering(nodes, new Map(said), 1)
  const reply = respond(encode({ type: 'query', questions: [{ name, type }] }), contextOf({ table, steering }))
  if (reply.kind === 'drop') throw new Error('no answer')
  const { answers = [], authorities = [] } = decode(Buffer.from(reply.bytes))
  t.equal(answers.length + authorities.length, 1, 'an address, or the SOA of an answer without any')
  return answers.length
}

t.test('IPv6 that answers nowhere is left out where IPv4 answers', async (t) => {
  for (const name of ['example.com', 'both.example.com']) {
    t.equal(count(name, 'AAAA', ['up', 'down']), 0)
    t.equal(count(name, 'A', ['up', 'down']), 1)
    t.equal(count(name, 'AAAA', ['held', 'down']), 0)
    t.equal(count(name, 'AAAA', ['up', 'down'], ['up', 'up']), 1, 'one node is enough')
    t.equal(count(name, 'AAAA', ['up', 'held']), 1, 'one that answers again is enough')
    t.equal(count(name, 'AAAA', ['down', 'down']), 1, 'never without any address')
    t.equal(count(name, 'A', ['down', 'down']), 1)
    t.equal(count(name, 'A', ['down', 'up']), 1, 'who has IPv4 alone gains nothing by an empty answer')
  }
  t.equal(count('six.example.com', 'AAAA', ['up', 'down']), 1, 'a name that has nothing else keeps it')
})
