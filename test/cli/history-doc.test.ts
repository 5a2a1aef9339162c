import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { keys, type OwnerName } from '../../core/index.ts'
import { domainSet, example, startTestCluster, type TestCluster, testKey } from './support/test-cluster.ts'

/** Types every line of docs/history.md, each in a cluster of its own that has what it names. */

const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'history.md'), 'utf8')
const lines = [...text.matchAll(/^ {4}maki (.*)$/gm)].map(([, line]) => String(line))
const KEY = keys.record(example, 'www' as OwnerName, 'A')

const record = (value: string) =>
  ({ kind: 'record.set', domain: example, name: 'www' as OwnerName, type: 'A', ttl: 300, values: [value] }) as const

/** A node called berlin, an operator called alice, and two edits of www.example.com side by side; the one that stands. */
async function furnish(cluster: TestCluster): Promise<string> {
  const [node] = cluster.nodes
  const alice = testKey(5)
  await cluster.write(node!, [{ kind: 'operator.add', key: alice.key, name: 'alice', role: 'operator' }, domainSet()])
  await cluster.write(node!, [record('192.0.2.1')])
  await cluster.maki('pull')
  await cluster.maki('record', 'set', 'example.com', 'www', 'A', '192.0.2.2', '--offline')
  const { id } = await cluster.write(node!, [record('192.0.2.3')], alice)
  await cluster.maki('push')
  return id
}

t.ok(lines.length >= 18, `${lines.length} lines`)
for (const line of lines) {
  t.test(`maki ${line}`, async (t) => {
    await using cluster = await startTestCluster({ nodes: ['berlin'] })
    const id = await furnish(cluster)
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? String(plain))
    // The document's time lies before the cluster's.
    const typed = words.map((word) =>
      word.replace(/^k3v7q2mdda$/, id).replace(/^2026-11-22T.*Z$/, '2099-01-01T10:00:00Z'),
    )
    const outcome = await cluster.maki(...typed)
    t.match(outcome, { code: line === 'conflicts' ? 1 : 0 }, outcome.stderr)
    if (line !== 'state --at 2d') t.ok(outcome.stdout.length > 30, outcome.stdout)
    if (line.startsWith('undo') && !line.includes('--dry-run'))
      t.match(cluster.nodes[0]!.replica.state.get(KEY)?.value, { values: ['192.0.2.2'] }, 'what was beside comes forth')
    if (line.startsWith('conflicts resolve')) t.same(cluster.nodes[0]!.replica.conflicts(), [])
  })
}
