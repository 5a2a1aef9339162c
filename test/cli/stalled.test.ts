import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { watchFlow } from '../../cli/client/watch-flow.ts'
import { systemRuntime } from '../../cli/system.ts'
import type { Runtime } from '../../core/index.ts'
import { runInProcess, startTestCluster, type TestCluster } from './support/test-cluster.ts'

/** A node that stalls in the middle of any exchange: it is named, the time is bounded, and another node is asked. */

/** Where a node stops: before it answers, after the head, in the middle of the body; or it sends a byte now and then. */
type Moment = 'silent' | 'head' | 'half' | 'drip'

const PATHS = { status: '/v1/status', operations: '/v1/operations' } as const

/** Stands before a real node and passes on all but what matches, which it begins to answer and never ends. */
async function standBefore(real: string, stalls: (method: string, path: string) => boolean, moment: Moment) {
  const directory = await mkdtemp(join(tmpdir(), 'maki-'))
  const socketPath = join(directory, 'control.sock')
  const dripping = new Set<NodeJS.Timeout>()
  const handler: RequestListener = (incoming, response) => {
    const { method = '', url = '', headers } = incoming
    const path = url.split('?')[0] as string
    const isStalled = stalls(method, path)
    if (isStalled && moment === 'silent') return void incoming.resume()
    const onward = request({ socketPath: real, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      if (!isStalled) return void answer.pipe(response)
      answer.once('data', (chunk: Buffer) => {
        if (moment === 'head') return response.flushHeaders()
        response.write(chunk.subarray(0, 10))
        let at = 10
        if (moment === 'drip') dripping.add(setInterval(() => response.write(chunk.subarray(at, ++at)), 5))
      })
    })
    incoming.pipe(onward)
  }
  const server = createServer(handler).listen(socketPath)
  await new Promise((done) => server.once('listening', done))
  return {
    socketPath,
    async [Symbol.asyncDispose]() {
      for (const timer of dripping) clearInterval(timer)
      server.closeAllConnections()
      server.close()
      await rm(directory, { recursive: true })
    },
  }
}

/** Time that passes a hundred times as fast. */
const hasty: Runtime = { ...systemRuntime, after: (delayMs, call) => systemRuntime.after(delayMs / 100, call) }

const run = (cluster: TestCluster, argv: readonly string[], profile = cluster.profile) =>
  runInProcess(argv, {
    env: { ...cluster.env, MAKIATTO_PROFILE: profile },
    cwd: cluster.directory,
    runtime: hasty,
  })

async function writeProfile(cluster: TestCluster, sockets: Readonly<Record<string, string>>): Promise<string> {
  const file = join(cluster.directory, 'stalled.toml')
  const machines = Object.entries(sockets).map(
    ([name, path]) => `[[machines]]\nname = "${name}"\ncontrol = "${path}"\n`,
  )
  await writeFile(file, `cluster = "${cluster.cluster}"\ndata = "data"\n${machines.join('')}`)
  return file
}

for (const moment of ['silent', 'head', 'half', 'drip'] as const) {
  t.test(`a node that stalls: ${moment}`, async (t) => {
    await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
    const [first, second] = cluster.nodes
    for (const [what, path] of Object.entries(PATHS)) {
      await using stalled = await standBefore(
        first!.socketPath,
        (method, asked) => method === 'GET' && asked === path,
        moment,
      )
      const alone = await writeProfile(cluster, { one: stalled.socketPath })
      const pulled = await run(cluster, ['pull'], alone)
      t.match(
        pulled,
        { code: 3, stdout: '', stderr: /^Error: one .*(did not answer within|stopped in the middle)/ },
        what,
      )
      const listed = await run(cluster, ['record', 'list'], alone)
      t.match(listed, { code: 0, stderr: /one (did not|stopped)/ }, `${what}: the copy here serves`)
      const both = await writeProfile(cluster, { one: stalled.socketPath, two: second!.socketPath })
      const next = await run(cluster, ['domain', 'list'], both)
      t.match(next, { code: 0, stdout: /example\.com/ }, `${what}: the next node is asked`)
      t.notMatch(next.stderr, /the copy on this computer/)
      if (what === 'operations')
        t.match(next.stderr, /^Warning: one (did not|stopped).*; another node is asked$/m, 'and that is said')
    }
    await using deaf = await standBefore(first!.socketPath, (method) => method === 'POST', moment)
    const profile = await writeProfile(cluster, { one: deaf.socketPath })
    const set = await run(cluster, ['record', 'set', 'example.com', moment, 'A', '192.0.2.1'], profile)
    t.match(
      set,
      { code: 0, stderr: /one (did not|stopped)[\s\S]*operation of yours waits here/ },
      'what was written waits',
    )
    const handed = await run(cluster, ['push', '--json'])
    t.match(JSON.parse(handed.stdout).waiting, [], 'and is handed over when it answers again')
  })
}

/** Stands before a real node as one of another version: what it answers to `path` is changed. */
async function speakFor(real: string, path: string, change: (answer: Record<string, unknown>) => unknown) {
  const directory = await mkdtemp(join(tmpdir(), 'maki-'))
  const socketPath = join(directory, 'control.sock')
  const server = createServer((incoming, response) => {
    const { method = '', url = '', headers } = incoming
    const onward = request({ socketPath: real, method, path: url, headers }, async (answer) => {
      const changed = url.split('?')[0] === path
      const chunks = await Array.fromAsync<Buffer>(answer)
      const body = Buffer.concat(chunks)
      const { 'content-length': _, ...rest } = answer.headers
      response.writeHead(answer.statusCode ?? 500, rest)
      response.end(changed ? JSON.stringify(change(JSON.parse(body.toString()))) : body)
    })
    incoming.pipe(onward)
  }).listen(socketPath)
  await new Promise((done) => server.once('listening', done))
  return {
    socketPath,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await rm(directory, { recursive: true })
    },
  }
}

t.test('a node of a newer and of an older version', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const [first, second] = cluster.nodes
  type Status = { nodes: Record<string, unknown>[] }
  const newer = (status: Record<string, unknown>) => ({
    ...status,
    tides: 'high',
    nodes: (status as unknown as Status).nodes.map((node) => ({ ...node, version: '99.0.0', mood: {} })),
  })
  await using young = await speakFor(first!.socketPath, PATHS.status, newer)
  const ahead = await writeProfile(cluster, { one: young.socketPath })
  t.match(await run(cluster, ['status'], ahead), { stdout: /99\.0\.0/ })
  t.match(await run(cluster, ['record', 'set', 'example.com', 'young', 'A', '192.0.2.1'], ahead), {
    code: 0,
    stderr: '',
  })
  // What later versions added is absent.
  const older = (status: Record<string, unknown>) => {
    const { cluster: id, self, nodes, pending, held, void: voids, unknown, conflicts, exposed } = status
    const plain = (nodes as Record<string, unknown>[]).map(
      ({ health, host, trouble, mesh, serves, behind, ...node }) => node,
    )
    return { cluster: id, self, nodes: plain, pending, held, void: voids, unknown, conflicts, exposed }
  }
  await using old = await speakFor(first!.socketPath, PATHS.status, older)
  const behind = await writeProfile(cluster, { one: old.socketPath })
  for (const argv of [['status'], ['machine', 'list'], ['health'], ['cert', 'list']])
    t.notMatch(await run(cluster, argv, behind), { stderr: /Error/ }, argv.join(' '))
  t.match(await run(cluster, ['record', 'set', 'example.com', 'old', 'A', '192.0.2.1'], behind), {
    code: 0,
    stderr: '',
  })
  // What this version cannot read is no answer: both versions are to be looked at, and another node is asked.
  await using strange = await speakFor(first!.socketPath, PATHS.status, () => ({ status: 'fine' }))
  const alone = await writeProfile(cluster, { one: strange.socketPath })
  t.match(await run(cluster, ['pull'], alone), {
    code: 3,
    stdout: '',
    stderr: /^Error: one does not speak the control protocol as expected.*\nTry: .*both are of one release/s,
  })
  const both = await writeProfile(cluster, { one: strange.socketPath, two: second!.socketPath })
  t.match(await run(cluster, ['pull'], both), { code: 0, stderr: '' })
})

t.test('who sends in drips is silent, who sends enough is not', async (t) => {
  let nowMs = 0
  const timers = new Map<object, { dueMs: number; call: () => void }>()
  const runtime: Pick<Runtime, 'after'> = {
    after(delayMs, call) {
      const id = {}
      timers.set(id, { dueMs: nowMs + delayMs, call })
      return () => void timers.delete(id)
    },
  }
  const advance = (ms: number): void => {
    nowMs += ms
    for (const [id, { dueMs, call }] of timers) if (dueMs <= nowMs && timers.delete(id)) call()
  }
  const watched = (bytesEach: number): number | undefined => {
    let stalledAt: number | undefined
    using flow = watchFlow(runtime, 1000, () => {
      stalledAt = nowMs
    })
    const begun = nowMs
    for (let i = 0; i < 100 && stalledAt === undefined; i++) {
      advance(100)
      flow.moved(bytesEach)
    }
    return stalledAt === undefined ? undefined : stalledAt - begun
  }
  t.equal(watched(0), 1000)
  t.equal(watched(10), 1000)
  t.equal(watched(1024), undefined)
  t.equal(timers.size, 0, 'no timer is left')
})
