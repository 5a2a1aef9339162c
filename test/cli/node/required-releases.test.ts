import t from 'tap'
import { listRequired } from '../../../cli/node/required-releases.ts'
import type { BlobHash, Change, Hostname, Operation } from '../../../core/index.ts'
import { cluster, follow } from '../../replication/chain.ts'
import { domains, testSigner } from '../../support/histories.ts'

const [first, second] = domains as [Hostname, Hostname]
const publish = (domain: Hostname): Change => {
  const hash = 'b'.repeat(64) as BlobHash
  return { kind: 'release.publish', domain, manifest: hash, tree: hash, files: 1, bytes: 2, aliases: [] }
}
const remove: Change = { kind: 'domain.remove', domain: second }
const required = (...fresh: Operation[]): string[] => listRequired(fresh).map(({ id, domain }) => `${id} ${domain}`)

t.test('a release that its author replaced in the same batch is not required', async (t) => {
  const old = follow([cluster.creation], [publish(first)])
  const between = follow([old], [remove])
  const next = follow([between], [publish(first)])
  t.strictSame(required(old, between, next), [`${next.id} ${first}`], 'also through operations of other kinds')
  t.strictSame(required(old, between), [`${old.id} ${first}`], 'it is when nothing replaces it')
})

t.test('one is that stands beside, that another domain or another author publishes', async (t) => {
  const old = follow([cluster.creation], [publish(first)])
  const beside = follow([cluster.creation], [publish(first)], { wallMs: 1_700_000_000_500 })
  t.strictSame(required(old, beside).length, 2, 'concurrent')
  t.strictSame(required(old, follow([old], [publish(second)])).length, 2, 'another domain')
  const other = follow([old], [publish(first)], { signer: testSigner(9) })
  t.strictSame(required(old, other).length, 2, 'what another signed may not count')
  const both = follow([old], [publish(first), publish(second)])
  t.strictSame(required(old, both).sort(), [`${both.id} ${first}`, `${both.id} ${second}`].sort(), 'two in one')
})
