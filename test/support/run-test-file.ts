import { spawn } from 'node:child_process'
import { type FinalResults, Parser, type Result, type TapError } from 'tap-parser'

/** What came of one test file, or of one check. */
export interface FileResult {
  readonly file: string
  readonly passed: number
  readonly failures: readonly Failure[]
  /** Names of assertions that were skipped or are to be done, with the reason. */
  readonly skipped: readonly string[]
  readonly durationMs: number
}

export interface Failure {
  readonly name: string
  /** Text to print under the name: difference, place, stack, output. */
  readonly detail: string
}

/** How much of a file's error output is kept for the report. */
const STDERR_TAIL_BYTES = 16 * 1024

/**
 * Runs one tap file as a plain program in its own process group, and kills the group when the file ends or hangs. A
 * crash, a non-zero exit without a failed assertion, no assertion at all and a time-out are each one failure.
 */
export async function runTestFile(root: string, file: string, timeoutMs: number): Promise<FileResult> {
  const started = performance.now()
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
    cwd: root,
    detached: true,
    // tap's own limit comes a little before ours, because it can say which test hangs and on what.
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', TAP_TIMEOUT: String((timeoutMs * 0.9) / 1000) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stopOnSignal = () => killGroup(child.pid)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stopOnSignal)
  process.once('exit', stopOnSignal)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_TAIL_BYTES)
  })
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    killGroup(child.pid)
  }, timeoutMs)
  const exited = new Promise<string | number>((done) => {
    child.once('error', (error) => done(error.message))
    // Not `close`: a process that the file left behind could hold the pipes open for ever.
    child.once('exit', (code, signal) => {
      killGroup(child.pid)
      done(signal ?? code ?? 0)
    })
  })
  const tap = readTap(child.stdout)
  const [exit, counts] = await Promise.all([exited, tap])
  clearTimeout(timer)
  for (const signal of ['SIGINT', 'SIGTERM', 'exit'] as const) process.removeListener(signal, stopOnSignal)
  const failures = [...counts.failures]
  const crash = describeCrash({ exit, timedOut, timeoutMs, counts })
  if (crash !== undefined) failures.push({ name: crash, detail: stderr })
  return { file, passed: counts.passed, failures, skipped: counts.skipped, durationMs: performance.now() - started }
}

function describeCrash(end: {
  exit: string | number
  timedOut: boolean
  timeoutMs: number
  counts: TapCounts
}): string | undefined {
  if (end.timedOut) return `the file did not end within ${end.timeoutMs / 1000} s`
  if (end.exit !== 0 && end.counts.failures.length === 0) return `the file ended with ${end.exit}, no assertion failed`
  if (end.counts.passed + end.counts.failures.length + end.counts.skipped.length === 0) return 'the file has no test'
  return undefined
}

interface TapCounts {
  readonly passed: number
  readonly failures: readonly Failure[]
  readonly skipped: readonly string[]
}

/** Counts the leaves of a TAP stream: assertions, not the subtests that hold them. */
function readTap(stream: NodeJS.ReadableStream): Promise<TapCounts> {
  return new Promise((done) => {
    let passed = 0
    const failures: Failure[] = []
    const skipped: string[] = []
    const watch = (parser: Parser): void => {
      let failuresBefore = failures.length
      parser.on('child', (child: Parser) => {
        failuresBefore = failures.length
        watch(child)
      })
      parser.on('assert', (result: Result) => {
        const name = result.fullname || result.name
        // A subtest fails with its assertions; only a failure of its own (a wrong plan) is counted.
        if (result.closingTestPoint && (result.ok || failures.length > failuresBefore)) return
        if (result.skip !== false) skipped.push(`${name}: ${result.skip === true ? 'skipped' : result.skip}`)
        else if (result.todo !== false) skipped.push(`${name}: to do`)
        else if (result.ok) passed += 1
        else failures.push({ name, detail: describeDiagnostics(result.diag) })
      })
      parser.on('complete', (results: FinalResults) => {
        for (const failure of results.failures) if (failure.tapError !== null) failures.push(protocolFailure(failure))
      })
    }
    const parser = new Parser((results) => {
      if (results.bailout !== false) failures.push({ name: 'bailed out', detail: String(results.bailout) })
      done({ passed, failures, skipped })
    })
    watch(parser)
    stream.on('data', (chunk: Buffer) => parser.write(chunk))
    // `close` also comes when the process was killed; ending a parser twice is nothing.
    stream.on('end', () => parser.end())
    stream.on('close', () => parser.end())
  })
}

function protocolFailure(failure: TapError): Failure {
  return { name: 'the file printed no valid TAP', detail: String(failure.tapError) }
}

/** The parts of tap's diagnostics that help, as text. */
function describeDiagnostics(diag: unknown): string {
  if (diag === null || typeof diag !== 'object') return ''
  const parts: string[] = []
  for (const [name, value] of Object.entries(diag)) {
    if (name === 'source' || name === 'at' || value === undefined) continue
    const text = typeof value === 'string' ? value.trimEnd() : JSON.stringify(value, undefined, 2)
    parts.push(text.includes('\n') ? `${name}:\n${text.replace(/^/gm, '  ')}` : `${name}: ${text}`)
  }
  return parts.join('\n')
}

/** Kills a process group that was started here, and nothing else; silent when it is gone. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}
