import { globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runChecks } from './support/checks.ts'
import { printFileResult, printSummary } from './support/report.ts'
import { type FileResult, runTestFile } from './support/run-test-file.ts'

/**
 * Runs the checks and the tests: `run.ts` all, `run.ts check` the checks alone, `run.ts PATH…` the tests in those
 * folders or files. The last line is `N passed, N failed`; a check counts as one assertion, a test file as its own.
 */

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
/** The machine that CI has. */
const JOBS = 2
/** A line of a file that leaves the processors to others most of its time: it runs beside those that do not. */
const WAITS = /^\/\/ Mostly waits\b/m
/** What is cheap and tells most comes first; a folder that is not named comes before the simulation. */
const ORDER = [
  'test/architecture',
  'test/core',
  'test/migrations',
  'test/replication',
  'test/dns',
  'test/edge',
  'test/cli',
]
const LAST = ['test/sim', 'test/e2e']
/** Generous: only a file that hangs meets it. End-to-end files start whole clusters and fresh clones, the simulator hundreds of them. */
const FILE_TIMEOUT_MS = 180_000
const E2E_TIMEOUT_MS = 900_000

const args = process.argv.slice(2)
const wantsChecks = args.length === 0 || args.includes('check')
const paths = args.filter((arg) => arg !== 'check')
const strict = process.env.CI === 'true'

const results: FileResult[] = []
if (wantsChecks) {
  for await (const result of runChecks(root)) record(result)
}
if (paths.length > 0 || args.length === 0) await runFiles(findTestFiles(paths))
process.exitCode = printSummary(results, { strict }) ? 0 : 1

function record(result: FileResult): void {
  results.push(result)
  printFileResult(result, { strict })
}

async function runFiles(files: readonly string[]): Promise<void> {
  const { waiting = [], busy = [] } = Object.groupBy(files, (file) => (mostlyWaits(file) ? 'waiting' : 'busy'))
  /** Files of the first queue, and of the other ones when there is none left. */
  const work = async (...queues: string[][]): Promise<void> => {
    for (const queue of queues) {
      for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
        const timeoutMs = LAST.some((folder) => file.startsWith(`${folder}/`)) ? E2E_TIMEOUT_MS : FILE_TIMEOUT_MS
        record(await runTestFile(root, file, timeoutMs))
      }
    }
  }
  const compiled = mkdtempSync(join(tmpdir(), 'makiatto-test-compiled-'))
  process.once('exit', () => rmSync(compiled, { recursive: true, force: true }))
  // All files and what they start share it: a second for each that compiles a few hundred modules by itself.
  process.env.NODE_COMPILE_CACHE = compiled
  await Promise.all([work(waiting), ...Array.from({ length: JOBS }, () => work(busy, waiting))])
}

function mostlyWaits(file: string): boolean {
  return WAITS.test(readFileSync(join(root, file), 'utf8'))
}

/** Test files relative to the root, in the order to run them. A path without any is an error: it was mistyped. */
function findTestFiles(wanted: readonly string[]): string[] {
  const all = globSync('test/**/*.test.ts', { cwd: root }).sort()
  if (wanted.length === 0) return all.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
  return wanted.flatMap((path) => {
    const target = relative(root, resolve(path))
    const isFolder = statSync(join(root, target), { throwIfNoEntry: false })?.isDirectory() === true
    const found = all.filter((file) => (isFolder ? file.startsWith(`${target}/`) : file === target))
    if (found.length === 0) {
      console.error(`There is no test file at ${path}.`)
      process.exit(2)
    }
    return found
  })
}

function rank(file: string): number {
  const index = (list: readonly string[]): number => list.findIndex((prefix) => file.startsWith(prefix))
  const first = index(ORDER)
  const last = index(LAST)
  if (first !== -1) return first
  return last === -1 ? ORDER.length : ORDER.length + 1 + last
}
