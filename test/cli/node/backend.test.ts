import t from 'tap'
import { type BackendPorts, NodeBackend } from '../../../cli/node/backend.ts'
import { type BlobHash, type Change, type Operation, type Release, silentLog } from '../../../core/index.ts'
import { createMemoryStore, Replica, type SharedReplica } from '../../../replication/index.ts'
import { cluster, follow } from '../../replication/chain.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'
import { createTestCluster, domains, testSigner } from '../../support/histories.ts'

const hash = 'b'.repeat(64) as BlobHash
const change = {
  kind: 'release.publish',
  domain: domains[0] as (typeof domains)[number],
  manifest: hash,
  tree: hash,
  files: 1,
  bytes: 2,
  aliases: [],
} as const satisfies Change

/** A node that has the cluster's first operation and no file, and notes which releases it is made to work for. */
async function setUp() {
  const runtime = new FakeRuntime(1)
  const replica = await Replica.open({
    store: createMemoryStore(runtime),
    cluster: cluster.id,
    runtime,
    log: silentLog,
  })
  await replica.submit([cluster.creation.bytes])
  const looked: Release[] = []
  const pinned = new Set<Release>()
  const ports = {
    shared: { replica } as SharedReplica,
    checker: {
      async check(release: Release) {
        looked.push(release)
        t.ok(pinned.has(release), 'kept from before the look')
        return { kind: 'missing', blobs: [{ hash }] }
      },
    },
    care: {
      collector: {
        pin(releases: readonly Release[]) {
          for (const release of releases) pinned.add(release)
          return { [Symbol.dispose]: () => releases.map((release) => pinned.delete(release)) }
        },
      },
    },
    blobs: {},
  } as unknown as BackendPorts
  return { replica, backend: new NodeBackend(ports), looked, pinned }
}

t.test('whose operation it is and whether it is right is asked before anything is done for it', async (t) => {
  const { replica, backend, looked, pinned } = await setUp()
  const foreign = createTestCluster(1_600_000_000_000)
  const own = follow([cluster.creation], [change])
  const forged = new Uint8Array(own.bytes)
  forged[forged.length - 1] = (forged.at(-1) as number) ^ 1
  const refused: readonly [what: string, bytes: Uint8Array, code: string][] = [
    ['forged', forged, 'MAKI_OPERATION_INVALID'],
    [
      'of another cluster',
      follow([foreign.creation], [change], { cluster: foreign.id }).bytes,
      'MAKI_OPERATION_INVALID',
    ],
    ['garbage', new Uint8Array(90).fill(0x93), 'MAKI_OPERATION_INVALID'],
    ['a stranger’s', follow([cluster.creation], [change], { signer: testSigner(9) }).bytes, 'MAKI_OPERATION_REFUSED'],
    [
      'of tomorrow',
      follow([cluster.creation], [change], { wallMs: 1_800_000_000_000 }).bytes,
      'MAKI_OPERATION_REFUSED',
    ],
    ['after what is not here', follow([own], [change]).bytes, 'MAKI_CONFLICT'],
  ]
  for (const [what, bytes, code] of refused) {
    await t.rejects(backend.accept([bytes]), { code }, what)
    await t.rejects(
      backend.accept([own.bytes, bytes]),
      { code: /^MAKI_(OPERATION_|BLOB_MISSING)/ },
      `${what}, in company`,
    )
  }
  looked.length = 0
  for (const [, bytes] of refused.slice(0, 5)) await backend.accept([own.bytes, bytes]).catch(() => {})
  t.strictSame(looked, [], 'nothing was looked up for them')
  await t.rejects(backend.accept([own.bytes]), { code: 'MAKI_BLOB_MISSING', message: new RegExp(hash) })
  t.strictSame(
    looked.map(({ id }) => id),
    [own.id],
  )
  t.equal(pinned.size, 0, 'nothing is kept for what was refused')
  t.equal(replica.count, 1)
  t.notOk(replica.isMember(testSigner(9).key))
})

t.test('what is here already needs no file', async (t) => {
  const { replica, backend, looked } = await setUp()
  const own: Operation = follow([cluster.creation], [change])
  await replica.submit([own.bytes])
  t.strictSame(await backend.accept([own.bytes]), { accepted: [], known: [own.id] })
  t.strictSame(looked, [])
})
