import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { eventually } from '../support/eventually.ts'
import { buildJs, buildJsGuest } from '../support/guests/build-js.ts'
import { buildWatGuest } from '../support/guests/build-wat.ts'
import { Dev } from './support/dev.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'

/** A function under `maki dev`: built anew, broken, printing and failing. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const HOST = 'shop.test'
const SECRET = 'the password is hunter2'

const sayingGuest = (word: string) =>
  buildJs(
    `import { encode } from './makiatto.js'
export const handler = { handleRequest: () => ({ status: 200, headers: [], body: encode(${JSON.stringify(word)}) }) }`,
    'http',
  )

const FUNCTIONS = ['hello', 'throw', 'print', 'env']
const table = (name: string): string => `[[domain.functions]]\npath = "api/${name}.wasm"\nenv_file = "shop.env"\n`
const project = writeProject(scene.path('shop'), {
  domain: HOST,
  files: {
    'index.html': 'hello',
    'api/hello.wasm': await sayingGuest('first'),
    'api/throw.wasm': await buildJsGuest('http-throw'),
    'api/print.wasm': await buildJsGuest('http-print'),
    'api/env.wasm': await buildJsGuest('http-env'),
  },
  more: FUNCTIONS.map(table).join(''),
})
const place = (path: string): string => join(project, 'public', path)
writeFileSync(join(project, 'shop.env'), 'MODE=test\n')
const dev = await Dev.start(scene, project)
t.teardown(() => dev[Symbol.asyncDispose]())

function ask(path: string): Promise<{ status: number; text: string; trace: string }> {
  return new Promise((resolve, reject) => {
    const asking = request(
      `${dev.nodes[0]?.http}${path}`,
      { headers: { host: HOST }, agent: false },
      async (response) => {
        let text = ''
        for await (const chunk of response) text += chunk
        resolve({ status: response.statusCode ?? 0, text, trace: String(response.headers['makiatto-trace']) })
      },
    )
    asking.on('error', reject).end()
  })
}

const answered = (path: string, text: string) =>
  eventually(`${path} to say ${text}`, async () => ((await ask(path)).text === text ? true : undefined))

t.test('a component that was built anew answers the next requests, and so does a new env file', async (t) => {
  await answered('/api/hello', 'first')
  writeFileSync(place('api/hello.wasm'), await sayingGuest('second'))
  await answered('/api/hello', 'second')
  await answered('/api/env?MODE', 'test')
  writeFileSync(join(project, 'shop.env'), 'MODE=changed\n')
  await answered('/api/env?MODE', 'changed')
  t.equal((await ask('/api/hello.wasm')).status, 404, 'it is no file of the site')
})

t.test('one that is not fit is told, and the last good release stays', async (t) => {
  const before = dev.mark
  writeFileSync(place('api/hello.wasm'), Buffer.from('0061736d01000000', 'hex'))
  const told = JSON.parse(await dev.event('sync-failed', before))
  t.match(told.error, {
    code: 'MAKI_CONFIG',
    message: /makiatto\.toml:5:8: .*api\/hello\.wasm is not fit: .*core module/,
  })
  t.equal((await ask('/api/hello')).text, 'second')
  writeFileSync(place('api/hello.wasm'), await buildWatGuest('transform-none'))
  await dev.event('sync-failed', before, 'a transform, and a function is wanted')
  t.equal((await ask('/api/hello')).text, 'second')
  // The names and types are right, and the code is none: that shows only where it is made ready.
  const broken = Buffer.from(await buildWatGuest('http-trap'))
  // A body of three bytes: no locals, `unreachable`, `end`; and now an instruction that there is not.
  broken[broken.indexOf(Buffer.from([0x03, 0x00, 0x00, 0x0b])) + 2] = 0x27
  writeFileSync(place('api/hello.wasm'), broken)
  const logged = JSON.parse(await dev.event('logged', before, 'component.unfit'))
  t.match(logged.line, { event: 'component.unfit', code: String, message: String })
  writeFileSync(place('api/hello.wasm'), await sayingGuest('third'))
  await answered('/api/hello', 'third')
})

t.test('what a function prints and how it fails stands in the terminal, and not with the visitor', async (t) => {
  const before = dev.mark
  t.match(await ask('/api/print?times=2'), { status: 200, text: 'printed 2' })
  const printed = JSON.parse(await dev.event('logged', before, 'error 1'))
  t.match(printed, {
    node: 'node1',
    line: { event: 'function.printed', domain: HOST, function: 'api/print.wasm', stream: 'stderr' },
  })
  const failed = await ask('/api/throw?x')
  t.equal(failed.status, 500)
  t.notMatch(failed.text, SECRET)
  t.match(failed.text, failed.trace)
  t.match(JSON.parse(await dev.event('logged', before, SECRET)).line, { trace: failed.trace, stream: 'stderr' })
  const why = JSON.parse(await dev.event('logged', before, 'function.failed'))
  t.match(why.line, { domain: HOST, function: 'api/throw.wasm', trace: failed.trace, why: 'trap' })
})

t.test('and all of it is in maki logs', async (t) => {
  const logs = await dev.maki(['logs', '--function', '/api/throw'])
  t.equal(logs.code, 0, logs.stderr)
  t.match(logs.stdout, /^\S+ node1 shop\.test api\/throw\.wasm about to fail at \/api\/throw$/m)
  t.match(logs.stdout, /^\S+ node1 shop\.test api\/throw\.wasm failed \(trace [0-9a-f]{32}\)/m)
  t.notMatch(logs.stdout, 'api/print')
  const lines = JSON.parse((await dev.maki(['logs', 'node1', '--json', '--function', 'api/print.wasm'])).stdout)
  t.strictSame(
    lines.map(({ text }: { text: string }) => text),
    ['out 0 times=2', 'error 0 {"path":"/api/print"}', 'out 1 times=2', 'error 1 {"path":"/api/print"}'],
  )
})
