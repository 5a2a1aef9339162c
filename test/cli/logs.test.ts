import { once } from 'node:events'
import { request } from 'node:http'
import t from 'tap'
import { createConnect } from '../../cli/client/connect.ts'
import { followLogs, type NodeLine, readLogs } from '../../cli/client/node-logs.ts'
import { loadProfile } from '../../cli/config/index.ts'
import { systemRuntime } from '../../cli/system.ts'
import { CONTROL_PATHS } from '../../edge/index.ts'
import { eventually } from '../support/eventually.ts'
import { spawnMaki } from './support/maki-child.ts'
import { startTestCluster, type TestCluster } from './support/test-cluster.ts'
import type { TestNode } from './support/test-node.ts'

let written = 0

/** A line of a node's log, each a second after the one before. */
function say(node: TestNode | undefined, data: Record<string, unknown>): void {
  const time = new Date(Date.UTC(2026, 0, 1) + ++written * 1000).toISOString()
  node?.logs.add(`${JSON.stringify({ time, level: 'info', node: 'as it calls itself', ...data })}\n`)
}

const printed = (text: string) => ({
  event: 'function.printed',
  domain: 'example.com',
  function: 'api/hello.wasm',
  trace: 'abc',
  stream: 'stdout',
  text,
})

t.test('lines of all nodes, in the order of time, and in words', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const [one, two] = cluster.nodes
  say(one, printed('first'))
  say(two, { ...printed('second'), stream: 'stderr' })
  say(one, { event: 'node.ready', http: { port: 1 }, words: 'a b' })
  say(two, {
    level: 'warn',
    event: 'function.failed',
    domain: 'example.com',
    function: 'x.wasm',
    trace: 'f00',
    why: 'timeout',
    detail: 'after 3000 ms',
  })
  say(one, {
    level: 'warn',
    event: 'transforms.failed',
    domain: 'example.com',
    transform: 'b.wasm',
    file: 'i.html',
    why: 'trap',
    detail: 'unreachable\n  at b',
  })
  const { code, stdout, stderr } = await cluster.maki('logs')
  t.same({ code, stderr }, { code: 0, stderr: '' })
  const texts = stdout.split('\n').map((line) => line.replace(/^2026-01-01T00:\d\d:\d\d\.000Z /, ''))
  t.strictSame(texts, [
    'one example.com api/hello.wasm first',
    'two example.com api/hello.wasm second',
    'one node.ready http={"port":1} words="a b"',
    'two example.com x.wasm took too long (trace f00): after 3000 ms',
    'one example.com b.wasm failed at i.html: unreachable',
    '      at b',
    '',
  ])
  t.match((await cluster.maki('logs', 'two')).stdout, /^\S+ two .*second\n\S+ two .*took too long.*\n$/)
  t.match((await cluster.maki('logs', '--lines', '1')).stdout, /^\S+ one .*failed at i\.html.*\n.*at b\n$/)
  t.equal((await cluster.maki('logs', '-n', '0')).stdout, '')
  t.match((await cluster.maki('logs', '--function', '/api/hello', 'one')).stdout, /^\S+ one .*first\n$/)
  t.match((await cluster.maki('logs', '--function', 'b.wasm')).stdout, /^\S+ one .*i\.html/)
  t.equal((await cluster.maki('logs', '--domain', 'example.org')).stdout, '')
  const lines = await cluster.json<{ node: string; event: string }[]>('logs', '--domain', 'Example.com')
  t.strictSame(
    lines.map(({ node }) => node),
    ['one', 'two', 'two', 'one'],
    'the name is the one that can be typed',
  )
})

t.test('what a function prints moves no cursor and colours nothing', async (t) => {
  await using cluster = await startTestCluster()
  say(cluster.nodes[0], printed('\u001b[2J\u202edanger\u0007'))
  say(cluster.nodes[0], { event: '\u001b[1A', '\u001b]0;x': '\u009b' })
  const { stdout } = await cluster.maki('logs')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be there
  t.notMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  t.match(stdout, '\\x1b[2J\\u202edanger\\x07')
})

t.test('a node that is not there is said, a name that is none refused', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  say(cluster.nodes[0], printed('here'))
  await cluster.nodes[1]?.stop()
  t.match(await cluster.maki('logs'), { code: 3, stdout: /here\n$/, stderr: /two cannot be reached/ })
  t.match(await cluster.maki('logs', 'one'), { code: 0, stderr: '' })
  t.match(await cluster.maki('logs', 'two'), { code: 3, stdout: '', stderr: /no node told its log/ })
  t.match(await cluster.maki('logs', 'tow'), { code: 2, stderr: /has no node "tow"\nTry: maki logs two/ })
  t.match(await cluster.maki('logs', '--offline'), { code: 2, stderr: /Leave --offline out/ })
  t.match(await cluster.maki('logs', '--lines', '-1'), { code: 2 })
})

t.test('who follows gets every line once, also over a node that goes and returns', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const [one, two] = cluster.nodes
  say(one, printed('before'))
  const ending = new AbortController()
  const options = { ...(await openLogs(cluster)), filter: {}, signal: ending.signal }
  const { lines: read } = await readLogs(options)
  const heard: NodeLine[] = []
  const faults: string[] = []
  const following = followLogs({
    ...options,
    // The pause before it is asked again need not be long here.
    runtime: { after: (_delayMs, call) => systemRuntime.after(20, call) },
    after: new Map(read.map(({ node, cursor }) => [node, cursor])),
    onLine: (line) => heard.push(line),
    onFault: ({ message }) => faults.push(message),
  })
  const texts = (node: string) => heard.filter((line) => line.node === node).map(({ line }) => line.text)
  for (let i = 0; i < 50; i++) {
    say(one, printed(`one ${i}`))
    say(two, printed(`two ${i}`))
  }
  await eventually('all of it to come', () => (heard.length === 100 ? true : undefined))
  await one?.stop()
  await eventually('it to be missed', () => (faults.length > 0 ? true : undefined))
  for (let i = 50; i < 100; i++) say(one, printed(`one ${i}`))
  await one?.start()
  await eventually('the rest to come', () => (heard.length === 150 ? true : undefined))
  ending.abort()
  await following
  t.strictSame(
    texts('one'),
    Array.from({ length: 100 }, (_, i) => `one ${i}`),
  )
  t.strictSame(
    texts('two'),
    Array.from({ length: 50 }, (_, i) => `two ${i}`),
  )
  t.equal(faults.length, 1, 'told once')
})

t.test('maki logs -f runs until it is interrupted, a line each', async (t) => {
  await using cluster = await startTestCluster()
  const [one] = cluster.nodes
  for (const text of ['a', 'b', 'c']) say(one, printed(text))
  await using child = spawnMaki(['logs', '-f', '--json', '--lines', '2'], { env: cluster.env, cwd: cluster.directory })
  let stdout = ''
  child.process.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  await eventually('what is kept', () => (stdout.split('\n').length === 3 ? true : undefined))
  say(one, printed('d'))
  await eventually('what comes', () => (stdout.split('\n').length === 4 ? true : undefined))
  child.process.kill('SIGINT')
  const { code } = await child.ended
  t.equal(code, 130)
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.strictSame(
    lines.map(({ text, node }) => [text, node]),
    [
      ['b', 'one'],
      ['c', 'one'],
      ['d', 'one'],
    ],
  )
})

t.test('the API refuses what it does not know', async (t) => {
  await using cluster = await startTestCluster()
  const socketPath = cluster.nodes[0]?.socketPath as string
  const ask = async (query: string) => {
    const asking = request({ socketPath, path: `${CONTROL_PATHS.logs}?${query}`, agent: false }).end()
    const [response] = await once(asking, 'response')
    let body = ''
    for await (const chunk of response) body += chunk
    return { status: response.statusCode, body }
  }
  t.match(await ask(''), { status: 200, body: '{"lines":[]}' })
  t.match(await ask('follow=2'), { status: 400, body: /MAKI_INVALID/ })
  t.match(await ask(`function=${'x'.repeat(2000)}`), { status: 400, body: /MAKI_INVALID/ })
  t.match(await ask('after=%00%ff'), { status: 200 })
})

async function openLogs(cluster: TestCluster) {
  const profile = await loadProfile(cluster.profile, cluster.env)
  return { profile, machines: profile.machines, connect: createConnect(systemRuntime) }
}
