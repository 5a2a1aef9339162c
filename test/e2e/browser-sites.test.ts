import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Browser, type Visit } from './support/browser.ts'
import { Dev } from './support/dev.ts'
import { SWAGGER, THREE, unpackPackage } from './support/packages.ts'
import { Scene } from './support/scene.ts'

/** Sites that nobody made for a test, used with a real browser: nothing on them may complain. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const swagger = await unpackPackage(scene, SWAGGER)
const three = await unpackPackage(scene, THREE)

/** An interface of one's own, in place of the one that the package shows from far away. */
writeFileSync(
  join(swagger, 'shop.json'),
  JSON.stringify({
    openapi: '3.0.0',
    info: { title: 'The shop', version: '1' },
    paths: { '/orders': { get: { summary: 'All orders', responses: { 200: { description: 'fine' } } } } },
  }),
)
writeFileSync(
  join(swagger, 'swagger-initializer.js'),
  `onload = () => SwaggerUIBundle({ url: '/shop.json', dom_id: '#swagger-ui', validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset], layout: 'StandaloneLayout' })`,
)
/** Modules that find each other by an import map, and what they draw. */
writeFileSync(
  join(three, 'scene.html'),
  `<link rel="icon" href="data:,"><canvas width="64" height="64"></canvas>
  <script type="importmap">{ "imports": { "three": "/build/three.module.js", "three/addons/": "/examples/jsm/" } }</script>
  <script type="module">
    import * as THREE from 'three'
    import { OrbitControls } from 'three/addons/controls/OrbitControls.js'
    const canvas = document.querySelector('canvas')
    const renderer = new THREE.WebGLRenderer({ canvas, preserveDrawingBuffer: true })
    const camera = new THREE.PerspectiveCamera(50, 1, 0.1, 10)
    camera.position.z = 2
    new OrbitControls(camera, canvas).update()
    const scene = new THREE.Scene()
    scene.add(new THREE.Mesh(new THREE.BoxGeometry(), new THREE.MeshBasicMaterial({ color: 0xff0000 })))
    renderer.render(scene, camera)
    const context = renderer.getContext()
    const pixel = new Uint8Array(4)
    context.readPixels(32, 32, 1, 1, context.RGBA, context.UNSIGNED_BYTE, pixel)
    document.title = 'middle ' + pixel.join()
  </script>`,
)
const project = scene.path('sites')
writeFileSync(
  join(project, 'makiatto.toml'),
  [
    [SWAGGER.name, 'swagger.test'],
    [THREE.name, 'three.test'],
  ]
    .map(([path, name]) => `[[domain]]\nname = "${name}"\npath = "${path}"\n`)
    .join('\n'),
)
const dev = await Dev.start(scene, project)
t.teardown(() => dev[Symbol.asyncDispose]())
const browser = await Browser.launch(
  { 'swagger.test': dev.nodes[0]?.http ?? '', 'three.test': dev.nodes[1]?.http ?? '' },
  // There is no graphics card where tests run.
  { args: ['--enable-unsafe-swiftshader'] },
)
t.teardown(() => browser[Symbol.asyncDispose]())

/** What a visit met that its user would mind. */
const faultsOf = ({ complaints, answers }: Visit): unknown[] => [
  ...complaints,
  ...answers.filter(({ status }) => status !== 200).map(({ url, status }) => `${status} ${url}`),
]

t.test('Swagger UI shows an interface, and unfolds it', async (t) => {
  const visit = await browser.visit('http://swagger.test/')
  await visit.page.getByRole('heading', { name: 'The shop' }).waitFor()
  await visit.page.getByText('All orders').click()
  await visit.page.getByRole('button', { name: 'Try it out' }).waitFor()
  t.ok(visit.answers.length > 5, 'scripts, styles and icons')
  t.strictSame(faultsOf(visit), [])
})

t.test('three.js draws a cube with modules from two folders', async (t) => {
  const visit = await browser.visit('http://three.test/scene.html')
  await visit.page.waitForFunction(`document.title.startsWith('middle')`)
  t.equal(await visit.page.title(), 'middle 255,0,0,255')
  t.ok(visit.answers.filter(({ url }) => /\.js$/.test(url)).length >= 3)
  t.strictSame(faultsOf(visit), [])
})

t.test('what is missing is complained of: the tests above can fail', async (t) => {
  const visit = await browser.visit('http://three.test/scene.html')
  await visit.page.evaluate(`import('/build/none.js').catch(() => {})`)
  t.equal(faultsOf(visit).length, 2)
})
