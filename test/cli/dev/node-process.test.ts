import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { planNodes } from '../../../cli/dev/layout.ts'
import { NodeProcess, type NodeProcessEvents } from '../../../cli/dev/node-process.ts'
import { systemRuntime } from '../../../cli/system.ts'
import type { Runtime } from '../../../core/index.ts'

/** Plays the daemon: says that it is ready, unless its folder has a file `broken`; ends with its standard input. */
const DAEMON = `
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
const folder = dirname(process.argv[4])
console.log('a line that is not JSON')
if (existsSync(join(folder, 'broken'))) { console.error('no disk'); process.exit(3) }
if (existsSync(join(folder, 'deaf'))) process.on('SIGTERM', () => {})
if (!existsSync(join(folder, 'hangs'))) console.log(JSON.stringify({ event: 'node.ready', args: process.argv.slice(2) }))
process.stdin.on('end', () => process.exit(0)).resume()
`

/** Real time, whose timers keep the test alive while there is no process; pauses between tries pass ten times as fast. */
const runtime: Runtime = {
  ...systemRuntime,
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs < 10_000 ? delayMs / 10 : delayMs)
    return () => clearTimeout(timer)
  },
}

function prepare(t: Test, ...marks: string[]) {
  const marked = Object.fromEntries(marks.map((mark) => [mark, '']))
  const folder = t.testdir({ 'daemon.mjs': DAEMON, node1: marked })
  const [layout] = planNodes({ nodes: 1, httpPort: 8080, dnsPort: 5300 }, folder)
  if (layout === undefined) throw new Error('there is no node')
  const options = {
    layout,
    runtime,
    signal: new AbortController().signal,
    command: [process.execPath, join(folder, 'daemon.mjs')],
  }
  return { options, layout }
}

function next<Name extends keyof NodeProcessEvents>(node: NodeProcess, name: Name): Promise<NodeProcessEvents[Name]> {
  return new Promise((done) => {
    const off = node.events.on(name, (event) => {
      off()
      done(event)
    })
  })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

t.test('a node is up when it says so, and down when it is disposed', async (t) => {
  const { options, layout } = prepare(t)
  const node = await NodeProcess.start(options)
  const pid = node.pid as number
  t.ok(isAlive(pid))
  await node[Symbol.asyncDispose]()
  await node[Symbol.asyncDispose]()
  t.notOk(isAlive(pid))
  t.match(readFileSync(layout.log, 'utf8'), `"args":["run","--config","${layout.config}","--no-wireguard"]`)
})

t.test('one that does not start is told with its last words', async (t) => {
  const { options } = prepare(t, 'broken')
  await t.rejects(NodeProcess.start(options), {
    code: 'MAKI_INTERNAL',
    message: /node1 did not start \(exit code 3\)[\s\S]*no disk/,
  })
  const missing = { ...options, command: ['/no/such/program'] }
  await t.rejects(NodeProcess.start(missing), { code: 'MAKI_INTERNAL', message: /ENOENT/ })
})

t.test('a start is broken off by the signal, and nothing is left', async (t) => {
  const { options } = prepare(t, 'hangs')
  const interruption = new AbortController()
  const start = NodeProcess.start({ ...options, signal: interruption.signal })
  interruption.abort()
  await t.rejects(start, { message: /interrupted/ })
})

t.test('one that is killed comes back, however often', async (t) => {
  const { options } = prepare(t)
  await using node = await NodeProcess.start(options)
  for (let times = 1; times <= 2; times++) {
    const pid = node.pid as number
    const died = next(node, 'died')
    const recovered = next(node, 'recovered')
    process.kill(pid, 'SIGKILL')
    t.match(await died, { node: 'node1', how: 'SIGKILL', lastLines: [/not JSON/] })
    t.not((await recovered).pid, pid)
  }
})

t.test('one that cannot start again is tried again, more seldom', async (t) => {
  const { options, layout } = prepare(t)
  await using node = await NodeProcess.start(options)
  writeFileSync(join(layout.folder, 'broken'), '')
  const first = next(node, 'died')
  process.kill(node.pid as number, 'SIGKILL')
  const { retryMs } = await first
  const second = await next(node, 'died')
  t.match(second.how, /exit code 3/)
  t.equal(second.retryMs, retryMs * 2)
  t.match(second.lastLines.join('\n'), /no disk/)
})

t.test('one that does not hear is killed', async (t) => {
  const { options } = prepare(t, 'deaf')
  const node = await NodeProcess.start(options)
  const pid = node.pid as number
  await node[Symbol.asyncDispose]()
  t.notOk(isAlive(pid))
})
