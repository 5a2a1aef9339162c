import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { eventually } from '../support/eventually.ts'
import { Browser } from './support/browser.ts'
import { Dev } from './support/dev.ts'
import { Visitor } from './support/http.ts'
import { writeProject } from './support/project.ts'
import { recordVideo } from './support/recording.ts'
import { Scene } from './support/scene.ts'

/** What a visitor does with a real browser, on a cluster of three nodes. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const APP = 'app.test'
const SECONDS = 4

/** A single-page application with a route of its own, a chunk that is loaded late, and a module in WebAssembly. */
function writeApp(version: string): Record<string, string | Uint8Array> {
  const main = `assets/main-${version}1b2c3d4e.js`
  const late = `assets/late-${version}9f8e7d6c.js`
  return {
    'index.html': `<!doctype html><title>app</title><link rel="icon" href="data:,"><script type="module" src="/${main}"></script>
      <a href="/users/8">next</a><button>late</button><output></output>`,
    [main]: `
      const say = (text) => { document.querySelector('output').textContent = text }
      const show = () => say('route ' + location.pathname)
      document.querySelector('a').onclick = (event) => { event.preventDefault(); history.pushState({}, '', event.target.href); show() }
      document.querySelector('button').onclick = async () => say((await import('/${late}')).text)
      onpopstate = show
      show()`,
    [late]: `export const text = 'late of ${version}'`,
    // (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
    'add.wasm': Buffer.from(
      '0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b',
      'hex',
    ),
    'wasm.html': `<link rel="icon" href="data:,"><script type="module">
      const { instance } = await WebAssembly.instantiateStreaming(fetch('/add.wasm'))
      document.title = String(instance.exports.add(40, 2))</script>`,
    'sw.js': `
      addEventListener('install', (event) => event.waitUntil(caches.open('${version}').then((cache) => cache.addAll(['/offline.html']))))
      addEventListener('activate', (event) => event.waitUntil(clients.claim()))
      addEventListener('fetch', (event) => event.respondWith(fetch(event.request).catch(() => caches.match('/offline.html'))))`,
    'offline.html': `<title>offline ${version}</title>`,
    'install.html': `<title>installing</title><link rel="icon" href="data:,"><script type="module">
      await navigator.serviceWorker.register('/sw.js')
      await navigator.serviceWorker.ready
      document.title = 'installed'</script>`,
  }
}

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const project = writeProject(scene.path('app'), { domain: APP, more: 'spa = true', files: writeApp('a') })
{
  await using recorder = await Browser.launch({})
  writeFileSync(join(project, 'public', 'film.mp4'), await recordVideo(recorder, SECONDS))
}
writeFileSync(
  join(project, 'public', 'film.html'),
  '<link rel="icon" href="data:,"><video src="/film.mp4" muted preload="metadata"></video>',
)
const dev = await Dev.start(scene, project)
t.teardown(() => dev[Symbol.asyncDispose]())
const browser = await Browser.launch({ [APP]: dev.nodes[0]?.http ?? '' })
t.teardown(() => browser[Symbol.asyncDispose]())

t.test('a deep link, the way on from it, back, and again', async (t) => {
  const { page, complaints } = await browser.visit(`http://${APP}/users/7`)
  await page.getByText('route /users/7').waitFor()
  await page.getByRole('link').click()
  await page.getByText('route /users/8').waitFor()
  await page.goBack()
  await page.getByText('route /users/7').waitFor()
  await page.goto(`http://${APP}/users/8`)
  await page.getByText('route /users/8').waitFor()
  await page.reload()
  await page.getByText('route /users/8').waitFor()
  t.strictSame(complaints, [])
})

t.test('a film is sought in without all of it being fetched before', async (t) => {
  const { page, complaints, answers } = await browser.visit(`http://${APP}/film.html`)
  const state = await page.evaluate(`(async () => {
    const video = document.querySelector('video')
    if (video.readyState < 1) await new Promise((done) => video.addEventListener('loadedmetadata', done))
    const seeked = new Promise((done) => video.addEventListener('seeked', done))
    // A busy machine records fewer frames than were painted.
    const aim = video.duration * 0.75
    video.currentTime = aim
    await seeked
    const isThere = Math.abs(video.currentTime - aim) < 0.05
    return { isFilm: video.duration > 0.5 && video.duration < Infinity, isThere, width: video.videoWidth, error: video.error }
  })()`)
  t.strictSame(state, { isFilm: true, isThere: true, width: 640, error: null })
  const ranges = answers.filter(({ url }) => url.endsWith('/film.mp4'))
  t.ok(ranges.length > 1, 'it was asked for in parts')
  for (const { status, headers } of ranges) {
    t.equal(status, 206)
    t.match(headers, { 'content-type': 'video/mp4', 'accept-ranges': 'bytes', 'content-range': /^bytes \d+-\d+\/\d+$/ })
  }
  t.strictSame(complaints, [])
})

t.test('WebAssembly is compiled while it streams', async (t) => {
  const { page, complaints } = await browser.visit(`http://${APP}/wasm.html`)
  await page.waitForFunction(`document.title === '42'`)
  t.strictSame(complaints, [])
})

t.test('a service worker is installed, and answers when there is no network', async (t) => {
  const { page } = await browser.visit(`http://${APP}/install.html`)
  await page.waitForFunction(`document.title === 'installed'`)
  await page.context().setOffline(true)
  await page.goto(`http://${APP}/any/page`)
  t.equal(await page.title(), 'offline a')
})

t.test('a page that was open before a release goes on with its own chunks', async (t) => {
  const { page, complaints } = await browser.visit(`http://${APP}/`)
  await page.getByText('route /').waitFor()
  rmSync(join(project, 'public', 'assets'), { recursive: true })
  mkdirSync(join(project, 'public', 'assets'))
  for (const [path, content] of Object.entries(writeApp('b'))) writeFileSync(join(project, 'public', path), content)
  using visitor = new Visitor()
  await eventually('the new release', async () => {
    const { body } = await visitor.get(dev.nodes[0]?.http ?? '', APP, '/')
    return body.includes('main-b') || undefined
  })
  await page.getByRole('button').click()
  await page.getByText('late of a').waitFor()
  const later = await browser.visit(`http://${APP}/`)
  await later.page.getByRole('button').click()
  await later.page.getByText('late of b').waitFor()
  t.strictSame([...complaints, ...later.complaints], [])
})
