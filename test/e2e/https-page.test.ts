import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Replay } from './support/replay.ts'
import { ROOT, Scene } from './support/scene.ts'
import { readWithPorts, Shell } from './support/terminal.ts'
import { parseTranscript } from './transcript.ts'

/** Types what docs/https.md shows, in a folder with the example site. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const DOCUMENT = 'docs/https.md'

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const ports = new Map([
  [8080, scene.httpPort],
  [8180, scene.httpPort + 100],
])
const cwd = scene.path('here')
mkdirSync(cwd)
cpSync(join(ROOT, 'examples'), join(cwd, 'examples'), { recursive: true })
const env = { ...scene.env, PATH: `${join(ROOT, 'cli', 'bin')}:${process.env.PATH}` }
const replay = new Replay({
  document: DOCUMENT,
  shell: new Shell(scene.folder, { cwd, env }),
  cwd,
  env,
  question: /^curl\b/,
  withPorts: (command) =>
    command.startsWith('maki dev') ? `${command} --http-port ${scene.httpPort} --dns-port ${scene.dnsPort}` : command,
})
t.teardown(() => replay[Symbol.asyncDispose]())

const steps = parseTranscript(readWithPorts(join(ROOT, DOCUMENT), ports))
t.ok(steps.length >= 4, `${steps.length} steps`)
await replay.play(t, steps)

t.test('nothing is left behind', async (t) => {
  await replay[Symbol.asyncDispose]()
  t.strictSame(await scene.leftovers(), [])
})
