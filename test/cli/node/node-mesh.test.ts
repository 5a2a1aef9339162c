import t from 'tap'
import { isMeshAddressOf } from '../../../cli/node/node-mesh.ts'
import { meshAddress } from '../../../core/index.ts'
import { cluster } from '../../replication/chain.ts'
import { joinMesh, memberAt, meshKey, stateOf } from '../../replication/mesh/mesh-states.ts'

t.test('a node speaks from its own address of the mesh, and one that has none from nobody else’s', async (t) => {
  const at = (number: number) => meshAddress(cluster.id, meshKey(number))
  const state = stateOf([
    ...[1, 2].map((number) => joinMesh(number, { publicKey: meshKey(number), port: 51880 })),
    joinMesh(3, undefined),
  ])
  const may = (member: number, host: string) => isMeshAddressOf(state, cluster.id, memberAt(member), host)
  t.ok(may(1, at(1)))
  t.notOk(may(1, at(2)), 'the key of a node, and the tunnel of another')
  t.notOk(may(1, '192.0.2.1'))
  t.notOk(may(3, at(2)), 'a node without a mesh in another’s tunnel')
  t.notOk(may(9, at(1)), 'a stranger in a node’s tunnel')
  t.ok(may(9, at(9)), 'one that the configuration names and the state does not yet')
})
