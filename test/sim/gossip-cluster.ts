import type { ClusterId, Log, MemberKey, Signer } from '../../core/index.ts'
import type { GossipOptions, GossipService } from '../../replication/gossip/gossip-options.ts'
import { startGossip } from '../../replication/gossip/gossip-service.ts'
import { testSigner } from '../support/histories.ts'
import { FakeReplica } from './fake-replica.ts'
import type { ManualRuntime } from './manual-runtime.ts'

export const testClusterId = 'b'.repeat(51).concat('a') as ClusterId

export interface Drop {
  readonly reason: string
  readonly detail: string
  readonly key: MemberKey | undefined
}

export interface TestNode extends AsyncDisposable {
  readonly signer: Signer
  readonly replica: FakeReplica
  readonly service: GossipService
  readonly address: string
  readonly drops: Drop[]
  readonly log: { level: string; event: string; data: Record<string, unknown> | undefined }[]
  has(id: Parameters<FakeReplica['has']>[0]): boolean
}

/** A gossip service on a free port of 127.0.0.1 over a fake replica; members are who `members` holds at the moment. */
export async function startTestNode(
  number: number,
  runtime: ManualRuntime,
  members: ReadonlySet<MemberKey>,
  more: Partial<GossipOptions> = {},
): Promise<TestNode> {
  const signer = testSigner(number)
  const replica = new FakeReplica(1000 + number)
  const entries: TestNode['log'] = []
  const at = (level: string) => (event: string, data?: Record<string, unknown>) => {
    entries.push({ level, event, data })
  }
  const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  const service = await startGossip({
    replica,
    signer,
    cluster: testClusterId,
    runtime,
    log,
    listen: { host: '127.0.0.1', port: 0 },
    bootstrap: [],
    incarnation: runtime.now(),
    version: '0.0.0-test',
    blobsPort: 8000 + number,
    admission: [],
    isMember: (key) => members.has(key),
    admits: () => false,
    ...more,
  })
  const drops: Drop[] = []
  service.events.on('dropped', (drop) => drops.push(drop))
  return {
    signer,
    replica,
    service,
    address: `127.0.0.1:${service.address.port}`,
    drops,
    log: entries,
    has: (id) => replica.has(id),
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  }
}
