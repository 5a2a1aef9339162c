import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { MakiError } from '../../core/index.ts'
import { spawnMaki } from './support/maki-child.ts'
import { startTestCluster } from './support/test-cluster.ts'

const SET = ['record', 'set', 'example.com', 'www', 'A', '192.0.2.1']

for (const moment of ['before', 'after'] as const) {
  t.test(`killed with -9 ${moment} the node has stored, nothing is lost and nothing is there twice`, async (t) => {
    await using cluster = await startTestCluster()
    const [node] = cluster.nodes
    const before = node!.replica.count
    await using child = spawnMaki(SET, { env: cluster.env, cwd: cluster.directory })
    const kill = async () => {
      node!.hooks.beforeAccept = async () => {}
      node!.hooks.afterAccept = async () => {}
      child.process.kill('SIGKILL')
      await child.ended
      if (moment === 'before') throw new MakiError('MAKI_UNREACHABLE', 'the client is gone')
    }
    // The first batch is what made the cluster, which the profile hands over too; the second is the record.
    node!.hooks[moment === 'before' ? 'beforeAccept' : 'afterAccept'] = kill
    const { signal } = await child.ended
    t.equal(signal, 'SIGKILL')
    const pushed = await cluster.json<{ operations: { words: string[] }[]; waiting: string[] }>('push')
    t.same(pushed.waiting, [])
    const again = await cluster.json<{ changed: boolean }>(...SET)
    t.equal(again.changed, true)
    t.equal(node!.replica.count, before + 1)
    t.same(await cluster.json('push').then((result) => (result as typeof pushed).operations), [])
  })
}

t.test('killed with -9 after its own operation was committed, the next maki delivers it', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.maki('push')
  const before = node!.replica.count
  await using child = spawnMaki(SET, { env: cluster.env, cwd: cluster.directory })
  node!.hooks.beforeAccept = async () => {
    node!.hooks.beforeAccept = async () => {}
    child.process.kill('SIGKILL')
    await child.ended
    throw new MakiError('MAKI_UNREACHABLE', 'the client is gone')
  }
  t.equal((await child.ended).signal, 'SIGKILL')
  t.equal(node!.replica.count, before)
  const again = await cluster.json<{ changed: boolean; values: string[] }>(...SET)
  t.same(again, { ...again, changed: false, values: ['192.0.2.1'] }, 'it was committed, so there is nothing to write')
  t.equal(node!.replica.count, before + 1, 'and it was delivered on the way')
})

t.test('two at once: the second waits for the first', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.maki('push')
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  node!.hooks.beforeAccept = async () => {
    node!.hooks.beforeAccept = async () => {}
    enter()
    await released
  }
  await using first = spawnMaki(SET, { env: cluster.env, cwd: cluster.directory })
  await entered
  await using second = spawnMaki(['record', 'add', 'example.com', 'www', 'A', '192.0.2.2'], {
    env: cluster.env,
    cwd: cluster.directory,
  })
  release()
  t.equal((await first.ended).code, 0)
  const outcome = await second.ended
  t.equal(outcome.code, 0, outcome.stderr)
  t.match(outcome.stdout, 'www.example.com A to 192.0.2.1, 192.0.2.2')
})

t.test('Ctrl-C ends with 130 and leaves what was committed in the outbox', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.maki('push')
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  node!.hooks.beforeAccept = async () => {
    enter()
    await released
    throw new MakiError('MAKI_UNREACHABLE', 'the client is gone')
  }
  await using child = spawnMaki(SET, { env: cluster.env, cwd: cluster.directory })
  await entered
  child.process.kill('SIGINT')
  const { code, stdout, stderr } = await child.ended
  release()
  t.match(
    { code, stdout, stderr },
    { code: 130, stdout: /^$/, stderr: /^Warning: interrupted, and written already.*\n$/ },
  )
  const { waiting } = await cluster.json<{ waiting: string[] }>('push', '--dry-run')
  t.equal(waiting.length, 1)
})

t.test(
  'what takes something back may take longer than others to end, but not when it is interrupted again',
  async (t) => {
    const host = join(import.meta.dirname, '..', '..', 'cli', 'program', 'host.ts')
    const script = (held: boolean, onInterrupt: string): string => `
    import { createProcessHost } from ${JSON.stringify(host)}
    const host = createProcessHost({ closeMs: 20 })
    const hold = ${held} ? host.hold() : undefined
    host.signal.addEventListener('abort', () => { ${onInterrupt} })
    setInterval(() => {}, 1000)
    console.log('begun')`
    const interrupt = async (held: boolean, onInterrupt: string, ...more: NodeJS.Signals[]): Promise<unknown> => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script(held, onInterrupt)])
      let said = ''
      child.stdout.on('data', (text) => {
        said += text
        if (said.endsWith('begun\n')) child.kill('SIGINT')
        if (said.endsWith('again\n')) for (const signal of more) child.kill(signal)
      })
      const [code] = await once(child, 'close')
      return [code, said]
    }
    const takeBack = `setTimeout(() => { console.log('taken back'); hold?.[Symbol.dispose]() }, 500)`
    t.strictSame(await interrupt(true, takeBack), [130, 'begun\ntaken back\n'])
    t.strictSame(await interrupt(false, takeBack), [130, 'begun\n'], 'others end in time')
    t.strictSame(await interrupt(true, `console.log('again')`, 'SIGINT'), [130, 'begun\nagain\n'])
  },
)

t.test('a reader that leaves early is no error', async (t) => {
  await using cluster = await startTestCluster()
  const main = join(import.meta.dirname, '..', '..', 'cli', 'main.ts')
  const child = spawn('sh', ['-c', `"${process.execPath}" "${main}" history --json | true; echo done`], {
    env: cluster.env,
    cwd: cluster.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdout.resume()
  await once(child, 'close')
  t.equal(stderr, '')
})
