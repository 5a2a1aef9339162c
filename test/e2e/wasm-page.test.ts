import { join } from 'node:path'
import t from 'tap'
import { Replay } from './support/replay.ts'
import { ROOT, Scene } from './support/scene.ts'
import { readWithPorts, Shell } from './support/terminal.ts'
import { provideTools } from './support/tools.ts'
import { parseTranscript } from './transcript.ts'

/** Types all of docs/wasm.md in an empty folder: a function that is begun, built, checked, served and asked. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const DOCUMENT = 'docs/wasm.md'

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const env = provideTools(scene)
const ports = new Map([[8080, scene.httpPort]])
const replay = new Replay({
  document: DOCUMENT,
  shell: new Shell(scene.folder, { cwd: scene.folder, env }),
  cwd: scene.path('greeter'),
  env,
  question: /^curl\b/,
  withPorts: (command) => `${command} --http-port ${scene.httpPort} --dns-port ${scene.dnsPort}`,
})
t.teardown(() => replay[Symbol.asyncDispose]())
const steps = parseTranscript(readWithPorts(join(ROOT, DOCUMENT), ports))
t.ok(steps.length >= 7, `${steps.length} steps`)
await replay.play(t, steps)
