import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { eventually } from '../support/eventually.ts'
import { ROOT, Scene } from './support/scene.ts'
import { RunningCommand, readWithPorts, Shell } from './support/terminal.ts'
import { findExpected, formatDifference, isAsExpected, parseTranscript, type Step } from './transcript.ts'

/**
 * Types all of docs/getting-started.md in a fresh clone of what is committed, and compares what is printed. Only its ports
 * are others: 8080 and 5300 may be in use here.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const DOCUMENT = 'docs/getting-started.md'
/** These only ask. What one node acknowledged reaches the others a moment later, so they are asked until it has. */
const QUESTION = /^(curl|dig|npx maki (status|health|dns explain))\b/
/** More than any answer has ever needed; the difference is then shown. */
const QUESTIONS = 100

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const clone = scene.path('makiatto')
const ports = new Map(
  [0, 1, 2].flatMap((i) => [
    [8080 + i, scene.httpPort + i],
    [5300 + i, scene.dnsPort + i],
  ]),
)
// npm would take the checkout's own environment for the clone's.
const env = Object.fromEntries(Object.entries(scene.env).filter(([name]) => !/^npm_/i.test(name)))
let first: RunningCommand | undefined
/** How much of the first terminal's output was read. */
let read = 0
t.teardown(() => first?.[Symbol.asyncDispose]())

t.test('a fresh clone, with its packages', async (t) => {
  const changed = await scene.run('git', ['-C', ROOT, 'status', '--porcelain'])
  if (changed.stdout !== '') t.comment('what is not committed is not part of the clone')
  t.match(await scene.run('git', ['clone', '--quiet', ROOT, clone]), { code: 0 })
  // The same files as here: `npm start` itself checks that they are what the lock file asks for.
  const modules = join(ROOT, 'node_modules')
  const linked = await scene.run('cp', ['-a', '--link', modules, clone])
  // Another file system has no links to this one.
  if (linked.code !== 0) t.match(await scene.run('cp', ['-a', '--no-clobber', modules, clone]), { code: 0 })
})

const shell = new Shell(scene.folder, { cwd: clone, env })
const steps = parseTranscript(readWithPorts(join(ROOT, DOCUMENT), ports))

t.test('every port that the document names is one of the defaults', async (t) => {
  const named = readFileSync(join(ROOT, DOCUMENT), 'utf8').match(/(?<=127\.0\.0\.1:|localhost:|-p )\d+/g) ?? []
  t.strictSame(
    [...new Set(named.map(Number))].filter((port) => !ports.has(port)),
    [],
  )
  t.ok(steps.length > 20, `${steps.length} steps`)
})

for (const step of steps) {
  const title = step.kind === 'run' || step.kind === 'start' ? `$ ${step.command.split('\n')[0]}` : step.kind
  t.test(`${DOCUMENT}:${step.line} ${title}`, { bail: true }, async (t) => {
    if (step.kind === 'run') await typeCommand(t, step)
    else await watchFirst(t, step)
  })
}

t.test('nothing is left behind', async (t) => {
  t.strictSame(await scene.leftovers(), [])
})

async function typeCommand(t: Test, { command, expected }: Extract<Step, { kind: 'run' }>): Promise<void> {
  let last = { code: null as number | null, output: '' }
  const fits = async (): Promise<true | undefined> => {
    last = await shell.type(command)
    return (last.code === 0 && isAsExpected(expected, last.output)) || undefined
  }
  const tries = QUESTION.test(command) ? QUESTIONS : 1
  const done = await eventually('the expected answer', fits, { tries }).catch(() => false)
  const details = { difference: formatDifference(expected, last.output), exitCode: last.code }
  t.ok(done, 'it prints what stands there', done ? {} : details)
}

async function watchFirst(t: Test, step: Exclude<Step, { kind: 'run' }>): Promise<void> {
  if (step.kind === 'start') first = new RunningCommand(withPorts(step.command), { cwd: clone, env })
  if (step.kind === 'start') read = 0
  if (first === undefined) throw new Error(`line ${step.line}: nothing runs in the first terminal`)
  if (step.kind === 'interrupt') await first.interrupt()
  const running = first
  const look = (): number | undefined => findExpected(step.expected, running.output.slice(read))
  const end = await eventually('what it says next', () => look() ?? (running.hasEnded ? null : undefined), {
    tries: 1200,
  }).catch(() => null)
  const difference = formatDifference(step.expected, running.output.slice(read))
  t.ok(end !== null, 'it says what stands there', end === null ? { difference } : {})
  read += end ?? 0
}

/** The one command that opens ports. */
const withPorts = (command: string): string =>
  command.startsWith('npm start') ? `npm start -- --http-port ${scene.httpPort} --dns-port ${scene.dnsPort}` : command
