import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { eventually } from '../support/eventually.ts'
import { buildJs, buildJsGuest } from '../support/guests/build-js.ts'
import { Browser } from './support/browser.ts'
import { Dev } from './support/dev.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'

/** A page that asks functions by fetch(), in a real browser, on `maki dev`. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const APP = 'app.test'
const PAGE = `<!doctype html><title>app</title><link rel="icon" href="data:,"><script type="module">
  const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) & 255)
  const answer = await fetch('/api/echo', { method: 'POST', body: bytes, headers: { 'content-type': 'x/y' } })
  const back = new Uint8Array(await answer.arrayBuffer())
  const hello = await (await fetch('/api/hello?a=%20b', { headers: { 'x-own': 'ö' } })).json()
  const refused = await fetch('/api/echo')
  window.found = {
    same: back.length === bytes.length && back.every((byte, i) => byte === bytes[i]),
    type: answer.headers.get('content-type'),
    path: hello.request.path, query: hello.request.query, method: hello.request.method,
    own: hello.request.headers.find(([name]) => name === 'x-own')?.[1],
    refused: refused.status, allow: refused.headers.get('allow'),
  }
  document.title = 'done'
</script>`
const answering = (text: string) => `
import { encode } from './makiatto.js'
export const handler = { handleRequest: () => ({ status: 200, headers: [], body: encode('${text}') }) }`

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const project = writeProject(scene.path('app'), {
  domain: APP,
  files: {
    'index.html': PAGE,
    'api/echo.wasm': await buildJsGuest('http-echo'),
    'api/hello.wasm': await buildJsGuest('http-hello'),
    'api/version.wasm': await buildJs(answering('one'), 'http'),
  },
  more: [
    '[[domain.functions]]\npath = "api/echo.wasm"\nmethods = ["POST"]',
    '[[domain.functions]]\npath = "api/hello.wasm"',
    '[[domain.functions]]\npath = "api/version.wasm"',
  ].join('\n'),
})
const dev = await Dev.start(scene, project)
t.teardown(() => dev[Symbol.asyncDispose]())
const browser = await Browser.launch({ [APP]: dev.nodes[0]?.http ?? '' })
t.teardown(() => browser[Symbol.asyncDispose]())

t.test('a page asks, sends and is refused as by any server', async (t) => {
  const { page } = await browser.visit(`http://${APP}/`)
  await page.waitForFunction(`document.title === 'done'`)
  t.strictSame(await page.evaluate('window.found'), {
    same: true,
    type: 'x/y',
    path: '/api/hello',
    query: 'a=%20b',
    method: 'get',
    own: 'ö',
    refused: 405,
    allow: 'POST, OPTIONS',
  })
})

t.test('what is built anew answers soon after', async (t) => {
  const { page } = await browser.visit(`http://${APP}/`)
  const ask = () => page.evaluate(`fetch('/api/version').then((answer) => answer.text())`)
  t.equal(await ask(), 'one')
  writeFileSync(join(project, 'public/api/version.wasm'), await buildJs(answering('two'), 'http'))
  await eventually('the new code', async () => ((await ask()) === 'two' ? true : undefined))
  t.pass('two')
})
