import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { Interrupted } from '../../cli/program/host.ts'
import { runInProcess, startTestCluster, type TestCluster, testKey } from './support/test-cluster.ts'
import type { TestNode } from './support/test-node.ts'

/** What writes one operation, in an order in which each can. */
const WRITING: readonly string[][] = [
  ['record', 'set', 'example.com', 'www', 'A', '192.0.2.1'],
  ['record', 'add', 'example.com', 'www', 'A', '192.0.2.2'],
  ['record', 'remove', 'example.com', 'www', 'A', '192.0.2.1'],
  ['operator', 'add', 'ann', testKey(5).key],
  ['operator', 'remove', 'ann', '--yes'],
  ['alias', 'add', 'example.com', 'shop.example.com'],
  ['alias', 'remove', 'example.com', 'shop.example.com'],
  ['machine', 'set', 'one', '--lat', '52.4', '--lon', '4.9'],
  ['machine', 'drain', 'one', '--no-wait', '--force'],
  ['machine', 'undrain', 'one'],
  ['dns', 'import', 'example.com', 'zone.txt'],
  ['sync', '--wait', 'none', '--take-over'],
  ['domain', 'remove', 'example.com', '--yes'],
]

/** When Ctrl-C is typed: the node has got the operation, or has stored it, and has not answered. */
const MOMENTS = ['beforeAccept', 'afterAccept'] as const

async function interrupt(cluster: TestCluster, argv: readonly string[], moment: (typeof MOMENTS)[number]) {
  const node = cluster.nodes[0] as TestNode
  const interruption = new AbortController()
  node.hooks[moment] = async () => interruption.abort(new Interrupted(130))
  const outcome = await runInProcess(argv, { env: cluster.env, cwd: cluster.directory, signal: interruption.signal })
  delete node.hooks[moment]
  return outcome
}

for (const moment of MOMENTS)
  t.test(`interrupted ${moment}: the command says so, and the next one hands it over`, async (t) => {
    await using cluster = await startTestCluster()
    await mkdir(join(cluster.directory, 'site'))
    await writeFile(join(cluster.directory, 'site', 'index.html'), 'hello')
    await writeFile(join(cluster.directory, 'makiatto.toml'), '[[domain]]\nname = "example.com"\npath = "site"\n')
    await writeFile(join(cluster.directory, 'zone.txt'), 'imported 300 IN A 192.0.2.9\n')
    const waits = async () => (await cluster.json<{ operations: object[] }>('push')).operations.length
    await waits()
    const before = (await cluster.json<object[]>('history')).length
    for (const [i, argv] of WRITING.entries()) {
      const line = argv.join(' ')
      const { code, stdout, stderr } = await interrupt(cluster, argv, moment)
      t.strictSame({ code, stdout }, { code: 130, stdout: '' }, line, { stderr })
      t.match(stderr, /interrupted, and written already: the next command hands it over/, line)
      t.ok((await waits()) <= 1, `${line}: whole, at the node or here`)
      t.match(await cluster.maki('push'), { code: 0, stdout: 'Nothing waits here.\n' }, line)
      t.equal((await cluster.json<object[]>('history')).length, before + i + 1, `${line}: once`)
    }
  })

t.test('interrupted before anything was written: nothing is', async (t) => {
  await using cluster = await startTestCluster()
  await cluster.maki('push')
  const [node] = cluster.nodes
  const before = node!.replica.count
  const signal = AbortSignal.abort(new Interrupted(130))
  const reading = [['status'], ['history'], ['record', 'list'], ['pull'], ['push'], ['health']]
  for (const argv of [...WRITING, ...reading]) {
    const outcome = await runInProcess(argv, { env: cluster.env, cwd: cluster.directory, signal })
    t.strictSame([outcome.code, outcome.stdout], [130, ''], argv.join(' '), { stderr: outcome.stderr })
  }
  t.equal(node!.replica.count, before)
  t.match(await cluster.maki('push'), { code: 0, stdout: 'Nothing waits here.\n' })
})
