import t from 'tap'
import { DialMembers } from '../../../cli/node/dial-members.ts'
import { type Change, type MemberKey, type NodeName, type Operation, silentLog } from '../../../core/index.ts'
import { createMemoryStore, Replica } from '../../../replication/index.ts'
import { cluster, follow } from '../../replication/chain.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'
import { testSigner } from '../../support/histories.ts'

const self = testSigner(60).key
const other = testSigner(61).key
const third = testSigner(62).key

const join = (key: MemberKey, name: string, ipv4: string | null, ipv6: string | null = null): Change => ({
  kind: 'node.join',
  key,
  name: name as NodeName,
  addresses: { ipv4, ipv6 },
  place: null,
  nameserver: false,
  drained: false,
})

t.test('whom a node dials follows the state', async (t) => {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  await using replica = await Replica.open({ store, cluster: cluster.id, runtime, log: silentLog })
  const said: (readonly string[])[] = []
  const gossip = {
    address: { host: '::', port: 8787 },
    setAddresses: (addresses: readonly string[]) => void said.push(addresses),
  }
  let last: Operation = cluster.creation
  const commit = async (...changes: [Change, ...Change[]]) => {
    last = follow([last], changes)
    await replica.submit([last.bytes])
  }
  await replica.submit([last.bytes])
  await commit(join(self, 'one', '198.51.100.1'))
  const bootstrap = [{ host: '198.51.100.2', port: 8787 }]
  const dialled = new DialMembers({ replica, gossip, bootstrap, self, atPublic: true })
  t.strictSame(said.splice(0), [['198.51.100.2:8787']], 'those of the configuration, and not itself')

  await commit(join(other, 'two', '198.51.100.2', '2001:db8::2'))
  t.strictSame(said.splice(0), [['198.51.100.2:8787', '[2001:db8::2]:8787']], 'both addresses, none twice')

  await commit({ kind: 'node.update', key: other, set: { drained: true } })
  t.strictSame(said.splice(0), [], 'nothing is said where nothing changed')

  await commit({ kind: 'node.update', key: other, set: { addresses: { ipv4: '198.51.100.9', ipv6: null } } })
  t.strictSame(said.splice(0), [['198.51.100.2:8787', '198.51.100.9:8787']], 'a new address; bootstrap stays')

  await commit(join(third, 'three', '169.254.169.254', '::1'))
  t.strictSame(said.splice(0), [], 'what leads nobody to another node is not dialled')

  await commit({ kind: 'node.remove', key: other, how: 'retire' })
  t.strictSame(said.splice(0), [['198.51.100.2:8787']], 'who is removed is dialled no more')

  dialled[Symbol.dispose]()
  await commit({ kind: 'node.update', key: third, set: { addresses: { ipv4: '198.51.100.3', ipv6: null } } })
  t.strictSame(said, [], 'after its end it follows nothing')
})
