import t from 'tap'
import { Interrupted } from '../../cli/program/host.ts'
import { runInProcess, startTestCluster, type TestCluster, testKey } from './support/test-cluster.ts'
import type { TestNode } from './support/test-node.ts'

const writing: readonly string[][] = [
  ['record', 'set', 'example.com', 'www', 'A', '192.0.2.1'],
  ['operator', 'add', 'ann', testKey(5).key],
  ['operator', 'remove', 'ann', '--yes'],
]

/** Ctrl-C when the node has got the operation, and before it has answered. */
async function interrupt(cluster: TestCluster, argv: readonly string[]) {
  const node = cluster.nodes[0] as TestNode
  const interruption = new AbortController()
  node.hooks.beforeAccept = async () => interruption.abort(new Interrupted(130))
  const options = { env: cluster.env, cwd: cluster.directory, signal: interruption.signal }
  const outcome = await runInProcess(argv, options)
  delete node.hooks.beforeAccept
  return outcome
}

t.test('a command that is interrupted when it has written says so, and the next one hands it over', async (t) => {
  await using cluster = await startTestCluster()
  const waits = async () => (await cluster.json<{ operations: object[] }>('push')).operations.length
  await waits()
  const before = (await cluster.json<object[]>('history')).length
  for (const argv of writing) {
    const [first = ''] = argv
    t.match(
      await interrupt(cluster, argv),
      { code: 130, stdout: '', stderr: /interrupted, and written already/ },
      first,
    )
    t.ok((await waits()) <= 1, 'whole, at the node or here')
    t.match(await cluster.maki('push'), { code: 0, stdout: 'Nothing waits here.\n' })
  }
  t.equal((await cluster.json<object[]>('history')).length, before + writing.length, 'each once')
})
