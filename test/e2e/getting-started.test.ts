import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Replay } from './support/replay.ts'
import { ROOT, Scene } from './support/scene.ts'
import { readWithPorts, Shell } from './support/terminal.ts'
import { parseTranscript } from './transcript.ts'

/**
 * Types all of docs/getting-started.md in a fresh clone of what is committed, and compares what is printed. Only its ports
 * are others: 8080 and 5300 may be in use here.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const DOCUMENT = 'docs/getting-started.md'
/** These only ask. What one node acknowledged reaches the others a moment later, so they are asked until it has. */
const QUESTION = /^(curl|dig|npx maki (status|health|dns explain))\b/

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

const replay = new Replay({
  document: DOCUMENT,
  shell: new Shell(scene.folder, { cwd: clone, env }),
  cwd: clone,
  env,
  question: QUESTION,
  // The one command that opens ports.
  withPorts: (command) =>
    command.startsWith('npm start')
      ? `npm start -- --http-port ${scene.httpPort} --dns-port ${scene.dnsPort}`
      : command,
})
t.teardown(() => replay[Symbol.asyncDispose]())
const steps = parseTranscript(readWithPorts(join(ROOT, DOCUMENT), ports))

t.test('every port that the document names is one of the defaults', async (t) => {
  const named = readFileSync(join(ROOT, DOCUMENT), 'utf8').match(/(?<=127\.0\.0\.1:|localhost:|-p )\d+/g) ?? []
  t.strictSame(
    [...new Set(named.map(Number))].filter((port) => !ports.has(port)),
    [],
  )
  t.ok(steps.length > 20, `${steps.length} steps`)
})

await replay.play(t, steps)

t.test('nothing is left behind', async (t) => {
  t.strictSame(await scene.leftovers(), [])
})
