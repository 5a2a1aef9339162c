import t from 'tap'
import { readSaid } from '../../../cli/node/said.ts'
import { describeMesh } from '../../../cli/node/said-mesh.ts'
import { tellTrouble } from '../../../cli/output/health-view.ts'
import type { MeshPeerStatus, MeshStatus } from '../../../replication/index.ts'
import { memberAt, meshKey } from '../../replication/mesh/mesh-states.ts'

const peer = (number: number, changes: Partial<MeshPeerStatus> = {}): MeshPeerStatus => ({
  member: memberAt(number),
  name: `node-${number}`,
  kind: 'node',
  publicKey: meshKey(number),
  address: `fd00::${number}`,
  endpoint: undefined,
  handshakeAgeMs: 1_000,
  silentMs: undefined,
  receivedBytes: 0,
  sentBytes: 0,
  ...changes,
})

const status = (peers: readonly MeshPeerStatus[], troubles: readonly string[] = []): MeshStatus => ({
  interface: 'wawa0',
  address: 'fd00::9',
  publicKey: meshKey(0),
  port: 51880,
  kind: 'userspace',
  mtu: 1420,
  troubles,
  peers,
})

t.test('of a mesh is said who answers, and who has not for a while', async (t) => {
  const silent = { handshakeAgeMs: 250_000, silentMs: 65_000 }
  const said = describeMesh(
    status([
      peer(1),
      peer(2, silent),
      peer(3, { ...silent, silentMs: 5_000 }),
      peer(4, { handshakeAgeMs: undefined, silentMs: 3e9 }),
      peer(5, { ...silent, kind: 'peer' }),
    ]),
  )
  t.strictSame(said, {
    kind: 'userspace',
    seen: 1,
    silent: [
      { node: memberAt(2), minutes: 4 },
      { node: memberAt(4), minutes: 1440 },
    ],
    troubles: [],
  })
  t.strictSame(readSaid({ mesh: said }).mesh, said, 'and heard as it was said')
})

t.test('however much is wrong, what travels is little, and what others send is judged', async (t) => {
  const many = Array.from({ length: 100 }, (_, i) => peer(i, { silentMs: 99_000 }))
  const said = describeMesh(
    status(
      many,
      Array.from({ length: 50 }, () => 'x'.repeat(5_000)),
    ),
  )
  t.ok(JSON.stringify(said).length < 2_500)
  t.strictSame(readSaid({ mesh: said }).mesh, said)
  for (const mesh of [7, 'x', [], { ...said, kind: 'magic' }, { ...said, silent: [{ node: '../x', minutes: 1 }] }])
    t.equal(readSaid({ mesh }).mesh, null)
})

t.test('a person reads who does not reach whom; of who is down nothing', async (t) => {
  const tokyo = { name: 'tokyo', minutes: 4, up: true }
  const mesh = {
    kind: 'kernel',
    seen: 1,
    silent: [tokyo, { ...tokyo, name: 'oslo', up: false }],
    troubles: [],
  } as const
  t.match(tellTrouble({ up: true, mesh }), [
    { level: 'wrong', message: 'it does not reach tokyo over the mesh (no handshake for 4 minutes)', hint: /51880/ },
  ])
  t.strictSame(tellTrouble({ up: false, mesh }), [])
  const broken = { ...mesh, kind: null, silent: [], troubles: ['there is no /dev/net/tun'] }
  t.match(tellTrouble({ up: true, mesh: broken }), [{ level: 'wrong', message: 'mesh: there is no /dev/net/tun' }])
})

t.test('of two machines with one key a person is told, also when neither is heard now', async (t) => {
  const told = [{ level: 'wrong', message: /two machines run with its key/, hint: /systemctl disable --now makiatto/ }]
  t.match(tellTrouble({ up: true, cloned: true }), told)
  t.match(tellTrouble({ up: false, cloned: true }), told)
  t.strictSame(tellTrouble({ up: true }), [])
})
