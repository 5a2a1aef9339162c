import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Author } from './author.ts'
import { DOMAIN, domainSet, recordSet } from './changes.ts'
import { startCluster } from './cluster.ts'
import { publishPage, until } from './propagation.ts'
import { line, title } from './report.ts'

const SECONDS = '3'
const run = promisify(execFile)

/** Questions and requests a second of one node process, as dnsperf and wrk count them; says so where they are missing. */
export async function benchServing(): Promise<void> {
  title('5c. Questions and requests a second, one process')
  await using cluster = await startCluster(1)
  const node = cluster.nodes[0]!
  const author = await Author.at(cluster, node)
  await node.control.accept([author.make([domainSet]).bytes])
  for (let i = 0; i < 100; i++) await node.control.accept([author.make([recordSet(i)]).bytes])
  await until(await publishPage(cluster, author, 0, node))
  const folder = await mkdtemp(join(tmpdir(), 'makiatto-bench-'))
  try {
    const questions = join(folder, 'questions')
    await writeFile(questions, Array.from({ length: 100 }, (_, i) => `r${i}.${DOMAIN} A\n`).join(''))
    const { dnsPort, httpPort } = node.layout
    await report(
      'dnsperf',
      ['-s', '127.0.0.1', '-p', `${dnsPort}`, '-d', questions, '-l', SECONDS],
      /Queries per second:\s+([0-9.]+)/,
    )
    await report(
      'wrk',
      ['-t1', '-c64', `-d${SECONDS}s`, '-H', `host: ${DOMAIN}`, `http://127.0.0.1:${httpPort}/`],
      /Requests\/sec:\s+([0-9.]+)/,
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function report(command: string, args: readonly string[], pattern: RegExp): Promise<void> {
  if (!isInstalled(command)) return line(command, 'is not installed, not measured')
  const { stdout } = await run(command, args)
  line(command, `${Math.round(Number(pattern.exec(stdout)?.[1]))} a second`)
}

function isInstalled(command: string): boolean {
  try {
    execFileSync('which', [command], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
