import t, { type Test } from 'tap'
import { admissionRules, collectAdmission } from '../../../cli/node/admission.ts'
import { type Change, type MemberKey, type NodeName, type Operation, silentLog } from '../../../core/index.ts'
import { createMemoryStore, Replica, verifyAdmission } from '../../../replication/index.ts'
import { cluster, follow } from '../../replication/chain.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'
import { testSigner } from '../../support/histories.ts'

async function open(t: Test, operations: readonly Operation[] = []): Promise<Replica> {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  const replica = await Replica.open({ store, cluster: cluster.id, runtime, log: silentLog })
  t.teardown(() => replica[Symbol.asyncDispose]())
  if (operations.length > 0) await replica.submit(operations.map(({ bytes }) => bytes))
  return replica
}

const operator = testSigner(60)
const node = testSigner(61)
const addOperator: Change = { kind: 'operator.add', key: operator.key, name: 'second', role: 'operator' }
const join = (key: MemberKey, name: string): Change => ({
  kind: 'node.join',
  key,
  name: name as NodeName,
  addresses: { ipv4: null, ipv6: null },
  place: null,
  nameserver: false,
  drained: false,
})

t.test('who was admitted twice is let in by one who knows nothing yet', async (t) => {
  const first = follow([cluster.creation], [join(node.key, 'one')])
  const second = follow([first], [addOperator])
  const again = follow([second], [join(node.key, 'two')], { signer: operator })
  const history = [cluster.creation, first, second, again]
  const admission = await collectAdmission(await open(t, history), node.key)
  t.same(
    admission,
    history.map(({ bytes }) => bytes),
    'oldest first',
  )
  const newcomer = admissionRules(await open(t))
  t.same(verifyAdmission({ key: node.key, operations: admission, ...newcomer }), { admitted: true })
})

t.test('an operator that joined as a node, too, may still admit', async (t) => {
  const add = follow([cluster.creation], [addOperator])
  const both = follow([add], [join(operator.key, 'laptop')])
  const replica = await open(t, [cluster.creation, add, both])
  const late = follow([both], [join(node.key, 'late')], { signer: operator })
  const asked = { key: node.key, operations: [late.bytes], ...admissionRules(replica) }
  t.same(verifyAdmission(asked), { admitted: true })
})
