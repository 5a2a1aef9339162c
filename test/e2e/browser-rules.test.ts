import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { systemRuntime } from '../../cli/system.ts'
import { hashPassword, SALT_BYTES } from '../../edge/index.ts'
import { Browser, type Visit } from './support/browser.ts'
import { Dev } from './support/dev.ts'
import { writeProject } from './support/project.ts'
import { ROOT, Scene } from './support/scene.ts'

/** What an owner says in `_headers`, `_redirects` and in the addresses of images, as a real browser takes it. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const HOST = 'shop.test'
/** The same site by another name: another origin for a browser. */
const STATIC = 'static.shop.test'
const PASSWORD = 'correct horse'
const ICON = '<link rel="icon" href="data:,">'

/** Waves of colour: content that a photo's coder has to work for. */
async function paint(width: number, height: number): Promise<Uint8Array> {
  const pixels = Buffer.alloc(width * height * 3)
  for (let i = 0; i < pixels.length; i++) pixels[i] = 128 + 127 * Math.sin((i % (width * 3)) / 90 + i / 9e4 + (i % 3))
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer()
}

/** A font that a dependency of the tests brings along. */
function findFont(): Uint8Array {
  const [path] = globSync('node_modules/playwright-core/lib/vite/**/*.ttf', { cwd: ROOT })
  if (path === undefined) throw new Error('playwright-core has no font any more')
  return readFileSync(join(ROOT, path))
}

const HEADERS = `
/strict
  Content-Security-Policy: default-src 'self'; img-src data:
/isolated
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
/fonts/open.ttf
  Access-Control-Allow-Origin: *
/drafts/*
  Basic-Auth: ann:${await hashPassword(PASSWORD, systemRuntime.randomBytes(SALT_BYTES))}
`
const REDIRECTS = `
/            /de/              302  Language=de
/app/*       /app/index.html   200
/old/:page   /:page            301
`
const FONTS = `<title>fonts</title>${ICON}<style>
  @font-face { font-family: open; src: url(http://${STATIC}/fonts/open.ttf) }
  @font-face { font-family: closed; src: url(http://${STATIC}/fonts/closed.ttf) }</style>`
const IMAGES = `<title>images</title>${ICON}
  <picture><source type="image/avif" srcset="/photo.jpg?w=320&fmt=avif"><img id="picture" src="/photo.jpg?w=320"></picture>
  <img id="auto" src="/photo.jpg?w=240&fmt=auto">
  <img id="kept" src="/photo.jpg?w=200&h=200&fit=crop">
  <img id="bad" src="/photo.jpg?w=0">
  <img id="fitting" sizes="100vw" src="/photo.jpg?w=1200&fmt=auto"
    srcset="/photo.jpg?w=400&fmt=auto 400w, /photo.jpg?w=800&fmt=auto 800w, /photo.jpg?w=1200&fmt=auto 1200w">`

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const font = findFont()
const project = writeProject(scene.path('shop'), {
  domain: HOST,
  more: `aliases = ["${STATIC}"]`,
  files: {
    _headers: HEADERS,
    _redirects: REDIRECTS,
    'index.html': `<title>english</title>${ICON}<a href="/page">on</a>`,
    'de/index.html': `<title>deutsch</title>${ICON}`,
    'page.html': `<title>page</title>${ICON}`,
    'app/index.html': `<title>app</title>${ICON}<script type="module" src="/app/main.js"></script>`,
    'app/main.js': `document.title = 'app at ' + location.pathname`,
    'strict.html': `<title>strict</title>${ICON}<script>document.title = 'broken'</script><script src="/strict.js"></script>`,
    'strict.js': 'document.title += " and served"',
    'isolated.html': `<title>isolated</title>${ICON}`,
    'fonts.html': FONTS,
    'fonts/open.ttf': font,
    'fonts/closed.ttf': font,
    'drafts/index.html': `<title>draft</title>${ICON}<img src="plan.jpg">`,
    'drafts/plan.jpg': await paint(60, 40),
    'images.html': IMAGES,
    'photo.jpg': await paint(1600, 1200),
  },
})
const dev = await Dev.start(scene, project)
t.teardown(() => dev[Symbol.asyncDispose]())
const origin = dev.nodes[0]?.http ?? ''
// Another node answers for the other name.
const hosts = { [HOST]: origin, [STATIC]: dev.nodes[1]?.http ?? '' }
const browser = await Browser.launch(hosts, { resolves: ['*.localhost'] })
t.teardown(() => browser[Symbol.asyncDispose]())
const url = (path: string): string => `http://${HOST}${path}`
const answerTo = ({ answers }: Visit, path: string) => answers.find((answer) => answer.url === url(path))

t.test('a policy for content is enforced: scripts of the site run, those in the page do not', async (t) => {
  const { page, complaints } = await browser.visit(url('/strict'))
  t.equal(await page.title(), 'strict and served')
  t.equal(complaints.length, 1)
  t.match(complaints[0], /inline script violates .*Content Security Policy/s)
})

t.test('a page is isolated where its headers say so, and nowhere else', async (t) => {
  const isolation = `[crossOriginIsolated, typeof SharedArrayBuffer]`
  const isolated = await browser.visit(url('/isolated'))
  t.strictSame(await isolated.page.evaluate(isolation), [true, 'function'])
  t.strictSame(isolated.complaints, [])
  const { page } = await browser.visit(url('/page'))
  t.strictSame(await page.evaluate(isolation), [false, 'undefined'])
})

t.test('a font comes from another origin where that is allowed', async (t) => {
  const { page, complaints } = await browser.visit(url('/fonts'))
  const load = (family: string) =>
    page.evaluate(`document.fonts.load('20px ${family}', '\\uea60').then((all) => all.length > 0, () => false)`)
  t.equal(await load('open'), true)
  t.strictSame(complaints, [])
  t.equal(await load('closed'), false)
  t.match(complaints[0], /closed\.ttf.*CORS policy/s)
})

t.test('an application has its routes by a rule', async (t) => {
  const { page, complaints, answers } = await browser.visit(url('/app/orders/8'))
  await page.waitForFunction(`document.title === 'app at /app/orders/8'`)
  t.equal(answers[0]?.status, 200)
  await page.goto(url('/old/page'))
  t.equal(page.url(), url('/page'))
  t.strictSame(complaints, [])
})

for (const [locale, title, path] of [
  ['de-AT', 'deutsch', '/de/'],
  ['en-GB', 'english', '/'],
] as const) {
  t.test(`who reads ${locale} sees the page in ${title}`, async (t) => {
    const { page, answers } = await browser.visit(url('/'), { locale })
    t.equal(await page.title(), title)
    t.equal(page.url(), url(path))
    t.match(answers[0]?.headers.vary, /accept-language/)
  })
}

t.test('a password opens a page and what is in it, once given', async (t) => {
  const ann = { httpCredentials: { username: 'ann', password: PASSWORD } }
  const { page, complaints } = await browser.visit(url('/drafts/'), ann)
  t.equal(await page.title(), 'draft')
  t.equal(await page.evaluate(`document.querySelector('img').naturalWidth`), 60)
  t.strictSame(complaints, [])
  const stranger = await browser.visit(url('/page'))
  // Chromium asks its user in a window of its own otherwise, and waits.
  const asked = `fetch('/drafts/', { credentials: 'omit' }).then(async (r) => [r.status, await r.text()])`
  t.strictSame(await stranger.page.evaluate(asked), [401, '401 Unauthorized\n'])
  const mistyped = await browser.visit(url('/drafts/'), { httpCredentials: { username: 'ann', password: 'wrong' } })
  t.equal(answerTo(mistyped, '/drafts/')?.status, 401)
  t.equal(await mistyped.page.locator('img').count(), 0)
})

/** Waits until all images of a page are there, or refused; width and height of one, as the browser decoded it. */
async function sizeOf({ page }: Visit, id: string): Promise<unknown> {
  await page.waitForFunction(`[...document.images].every((image) => image.complete)`)
  return page.evaluate(`(({ naturalWidth, naturalHeight }) => [naturalWidth, naturalHeight])(${id})`)
}

t.test('AVIF is made, sent and shown; what is not asked for stays as it is', async (t) => {
  const visit = await browser.visit(url('/images'), { viewport: { width: 700, height: 500 } })
  t.strictSame(await sizeOf(visit, 'picture'), [320, 240])
  t.strictSame(await sizeOf(visit, 'auto'), [240, 180])
  t.strictSame(await sizeOf(visit, 'kept'), [200, 200])
  t.strictSame(await sizeOf(visit, 'bad'), [0, 0])
  t.match(answerTo(visit, '/photo.jpg?w=320&fmt=avif'), { status: 200, headers: { 'content-type': 'image/avif' } })
  t.equal(answerTo(visit, '/photo.jpg?w=320'), undefined, 'the other source was not needed')
  const auto = answerTo(visit, '/photo.jpg?w=240&fmt=auto')
  t.match(auto, { status: 200, headers: { 'content-type': 'image/avif', vary: /accept/ } })
  t.match(answerTo(visit, '/photo.jpg?w=200&h=200&fit=crop'), { headers: { 'content-type': 'image/jpeg' } })
  t.equal(answerTo(visit, '/photo.jpg?w=0')?.status, 400)
  // The same address, asked for by something that knows no AVIF: what the browser's cache has is not for it.
  const other = await visit.page.evaluate(`fetch('/photo.jpg?w=240&fmt=auto', { headers: { accept: 'image/webp' } })
    .then(async (r) => [r.headers.get('content-type'), (await createImageBitmap(await r.blob())).width])`)
  t.strictSame(other, ['image/webp', 240])
  t.strictSame(
    visit.complaints.filter((complaint) => !complaint.includes('?w=0')),
    [],
  )
})

for (const { width, deviceScaleFactor, chosen } of [
  { width: 390, deviceScaleFactor: 1, chosen: 400 },
  { width: 390, deviceScaleFactor: 2, chosen: 800 },
  { width: 1180, deviceScaleFactor: 1, chosen: 1200 },
]) {
  t.test(`a window of ${width} with ${deviceScaleFactor} dots a pixel gets ${chosen}`, async (t) => {
    const visit = await browser.visit(url('/images'), { viewport: { width, height: 600 }, deviceScaleFactor })
    await sizeOf(visit, 'fitting')
    const path = `/photo.jpg?w=${chosen}&fmt=auto`
    t.equal(await visit.page.evaluate(`fitting.currentSrc`), url(path))
    // What is decoded has the pixels that were asked for; `naturalWidth` would count in dots of the page.
    const bitmap = `fetch('${path}').then((r) => r.blob()).then(createImageBitmap).then(({ width }) => width)`
    t.equal(await visit.page.evaluate(bitmap), chosen)
    t.match(answerTo(visit, path)?.headers, { 'content-type': 'image/avif' })
  })
}

t.test('the page before is shown again as it was left, without being loaded', async (t) => {
  await using keeping = await Browser.launch(hosts, { keepsPages: true })
  const { page, answers } = await keeping.visit(url('/'))
  await page.evaluate(
    `addEventListener('pageshow', (event) => { document.title = event.persisted ? 'kept' : 'loaded' })`,
  )
  await page.getByRole('link').click()
  await page.waitForURL(url('/page'))
  const before = answers.length
  await page.evaluate(`history.back()`).catch(() => {})
  await page.waitForFunction(`document.title === 'kept'`)
  t.equal(answers.length, before, 'and nothing was asked for')
})

t.test('a preview is found below localhost', async (t) => {
  const { stdout, stderr } = await dev.maki(['release', 'show', HOST])
  const host = /[a-z0-9]+--preview\.shop\.test/.exec(stdout)?.[0]
  t.ok(host, stdout + stderr)
  const { page, complaints, answers } = await browser.visit(`http://${host}.localhost:${new URL(origin).port}/page`)
  t.equal(await page.title(), 'page')
  t.match(answers[0]?.headers, { 'x-robots-tag': 'noindex', 'cache-control': 'no-cache' })
  t.strictSame(complaints, [])
})
