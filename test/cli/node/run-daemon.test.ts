import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { NODE_FLAGS } from '../../../cli/node/node-flags.ts'
import { describeFaults } from '../../../cli/setup/daemon-unit.ts'
import { DaemonCluster } from '../../e2e/support/daemons.ts'
import { ROOT, Scene } from '../../e2e/support/scene.ts'
import { eventually } from '../../support/eventually.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** How the daemon's program ends when it cannot start, and when it is told to end before it has. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const cluster = await DaemonCluster.make(scene, { nodes: 1 })
t.teardown(() => cluster[Symbol.asyncDispose]())
const layout = cluster.daemons[0]!.layout
const sound = readFileSync(layout.config, 'utf8')
/** Of a documentation network (RFC 5737): no machine has it. */
const ELSEWHERE = '203.0.113.99'
const MAIN = join(ROOT, 'cli', 'makiatto.ts')

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly lines: readonly string[]
  readonly stderr: string
}

/** Runs a daemon to its end; `onLine` hears each line of its log as it comes. */
async function run(config: string, onLine: (child: ChildProcess, line: string) => void = () => {}): Promise<Ended> {
  writeFileSync(layout.config, config)
  const args = [...NODE_FLAGS, MAIN, 'run', '--config', layout.config, '--no-wireguard']
  // None outlives a test that was killed.
  const env = { ...scene.env, NODE_COMPILE_CACHE: scene.path('compiled'), MAKIATTO_EXIT_WITH_STDIN: '1' }
  const child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  const lines: string[] = []
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    stderr += piece
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    onLine(child, line)
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, lines, stderr }
}

/** Processes of this node that are left. */
function listLeft(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return command.includes(layout.dataDirectory) || command.includes(layout.config) ? [`${pid} ${command}`] : []
      } catch {
        return []
      }
    })
}

const checkNoneLeft = (): Promise<true> =>
  eventually('all processes of the node to be gone', () => {
    const left = listLeft()
    if (left.length > 0) throw new Error(left.join('\n'))
    return true
  })

const withWorkers = (config: string, workers: number): string => config.replace('workers = 0', `workers = ${workers}`)

for (const [section, key, workers] of [
  ['dns', 'addr', 0],
  ['dns', 'addr', 1],
  ['web', 'http_addr', 1],
] as const) {
  const title = `[${section}] ${key} is no address of this machine, ${workers} workers: said in one line of the log, and ended`
  t.test(title, async (t) => {
    const config = withWorkers(sound, workers).replace(
      new RegExp(`(\\[${section}\\]\\n${key} = )"127\\.0\\.0\\.1`),
      `$1"${ELSEWHERE}`,
    )
    t.match(config, ELSEWHERE)
    const { code, lines, stderr } = await run(config)
    t.equal(code, 2)
    const errors = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 'error')
    t.match(errors, [{ event: 'node.not-started', error: { code: 'MAKI_CONFIG', message: /203\.0\.113\.99/ } }])
    t.equal(errors.length, 1, 'one line')
    t.match(errors[0].error.hint, /ip address/)
    t.match(stderr, /^makiatto: .*203\.0\.113\.99.*\n.*ip address/, 'and to people')
    t.strictSame(
      describeFaults([...lines, ...stderr.split('\n'), ...lines].join('\n')),
      [errors[0].error.message],
      'who reads its journal is told once',
    )
    await checkNoneLeft()
  })
}

const MOMENTS = 2
for (const seed of seeds(1)) {
  t.test(`told to end while it starts, it does, with its workers (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const config = withWorkers(sound, 1)
    let events: readonly string[] = []
    const whole = await run(config, (child, line) => {
      if (line.includes('"node.ready"')) child.kill('SIGTERM')
    })
    t.equal(whole.code, 0)
    events = whole.lines.map((line) => JSON.parse(line).event).filter((event) => /^\w/.test(event))
    const before = events.slice(0, events.indexOf('node.ready'))
    for (let i = 0; i < MOMENTS; i++) {
      const at = random.integer(before.length)
      const signal = random.pick(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
      let heard = 0
      const { code, lines, stderr } = await run(config, (child) => {
        if (heard++ === at) child.kill(signal)
      })
      const where = `${signal} after ${before[at]}`
      t.equal(code, 0, `${where}: ${stderr}`)
      t.equal(JSON.parse(lines.at(-1) as string).event, 'node.stopped', where)
      await checkNoneLeft()
    }
    const again = await run(config, (child, line) => {
      if (line.includes('"node.ready"')) child.kill('SIGTERM')
    })
    t.ok(
      again.lines.some((line) => line.includes('"node.ready"')),
      'and it starts afterwards',
    )
  })
}
