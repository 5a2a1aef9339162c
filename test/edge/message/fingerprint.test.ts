import { createHash } from 'node:crypto'
import t from 'tap'
import { isFingerprinted, mediaHeaders } from '../../../edge/message/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** As the tools write them. */
const HASHED = {
  webpack: [
    'main.8e0d62a10c151dad4f8e.js',
    'static/js/2.0a1b2c3d.chunk.js',
    'static/css/main.0a1b2c3d.css.map',
    'd56fb69a.js',
  ],
  'webpack licences': ['static/js/main.8e0d62a1.js.LICENSE.txt'],
  'webpack assets': ['8e0d62a10c151dad4f8e.png'],
  Vite: [
    'assets/index-BsLN8yB_.js',
    'assets/index-DiwrgTda.css',
    'assets/index.a1b2c3d4.js',
    'assets/firefox-1bWoP6pv.svg',
  ],
  Rollup: ['codeMirrorModule--QdMvsKi.css', 'chunk-15K8U1wQ.mjs', 'vendor-4f5e1a2b.js'],
  Parcel: ['index.1b2c3d4e.js', 'photo.9d2e7c01.webp'],
  Next: [
    '_next/static/chunks/main-app-0a1b2c3d4e5f6789.js',
    '_next/static/css/1b2c3d4e5f6a7b8c.css',
    '_next/static/media/a34f9d1faa5f3315-s.p.woff2',
    '_next/static/aXc9k3Lq/_buildManifest.js',
  ],
  Nuxt: ['_nuxt/DiwrgTda.js', '_nuxt/entry.Carousel.css'],
  Astro: ['_astro/hoisted.DzN5R6S5.js', '_astro/hero.C3Jr8bpR_Z1pXbZV.webp'],
  SvelteKit: ['_app/immutable/entry/start.BsLN8yB_.js', 'base/_app/immutable/nodes/0.DzN5R6S5.js'],
  esbuild: ['app-3NX5LZUD.js', 'chunk-ABCDEFGH.js'],
  Angular: ['main.4f9f1b6e5cbd1d9d.js', 'polyfills-RT5I6R6G.js'],
  Hugo: [`css/style.min.${createHash('sha256').update('a').digest('hex')}.css`, `main.${'0a'.repeat(48)}.js`],
  Rails: [`application-${createHash('sha256').update('b').digest('hex')}.js`, 'application-1a2b3c4d.js'],
  Django: ['admin/css/base.27e20196a850.css'],
  MkDocs: ['assets/javascripts/bundle.3220b9d7.min.js', 'assets/stylesheets/main.7e359304.min.css'],
  rustdoc: ['static.files/FiraSans-MediumItalic-ccf7e434.woff2', 'mark-09e88c2c.min.js'],
}

const NAMED = [
  'index.html',
  'about-8e0d62a10c151dad4f8e.html',
  'feed.8e0d62a1.xml',
  '8e0d62a10c151dad4f8e.pdf',
  '_next/static/page.html',
  '2026-11-22.jpg',
  '20261122.jpg',
  'report-20261122.csv',
  '20261122120000.json',
  'log-20261122ab.js',
  'jquery-3.7.1.min.js',
  'bootstrap.bundle.min.js',
  'react-dom.production.min.js',
  'app.js',
  'sw.js',
  'service-worker.js',
  'workbox.js',
  'favicon.ico',
  'deadbeef.js',
  'x-facade12.js',
  'decade80.css',
  'face2face.jpg',
  'photo-12345678.jpg',
  '123456789012.png',
  'IMG-20261122-WA0001.jpg',
  'photo-DSC_0042.jpg',
  'photo-Img_1234.jpg',
  'photo-IMG_2041.JPG',
  'PXL_20261122_101112345.jpg',
  'case-iPhoneXs.jpg',
  '123e4567-e89b-12d3-a456-4266141740ab.jpg',
  'user-123e4567-e89b-42d3-a456-42661417400b.png',
  '123e4567-e89b-12d3-a456-426614174000',
  'x-Base64Js.js',
  'x-Utf8Text.js',
  'x-Mp3Audio.js',
  'x-MyWidget.js',
  'x-DataGrid.js',
  'x-HTMLPage.js',
  'x-jQueryUI.js',
  'x-Carousel.js',
  'x-H264HIGH.mp4',
  'x-MP4VIDEO.mp4',
  'x-TypeScript.js',
  'x-JavaScript.js',
  'x-YouTube2.js',
  'x-GitHub42.js',
  'x-1920x1080.jpg',
  'x-1080p60f.mp4',
  'OpenSans-Semibold.woff2',
  'OpenSans-ExtraBold.woff2',
  'Inter-Variable.woff2',
  'NotoSans-Regular.ttf',
  'roboto-v30-latin-regular.woff2',
  'README-TEMPLATE.md',
  'CHANGELOG',
  'json',
  '.well-known/security.txt',
  '.hidden',
  '',
  'a'.repeat(5000),
  `${'-'.repeat(4000)}.js`,
  '_nuxt/builds/latest.json',
  'my_next/static/app.js',
  'docs/_astro.js',
  'chunk-vendors.js',
  'chunk-abcdefgh.js',
]

t.test('names with a hash, as tools write them', async (t) => {
  for (const [tool, paths] of Object.entries(HASHED))
    for (const path of paths) t.ok(isFingerprinted(path), `${tool}: ${path}`)
})

t.test('names without one', async (t) => {
  for (const path of NAMED) t.notOk(isFingerprinted(path), path.slice(0, 80))
})

t.test('a fingerprinted file is kept for ever, others as others of their kind', async (t) => {
  t.equal(mediaHeaders('app.8e0d62a1.js').cacheControl, 'public, max-age=31536000, immutable')
  t.equal(mediaHeaders('app.js').cacheControl, 'public, max-age=86400')
  t.equal(mediaHeaders('app.8e0d62a1.js').contentType, mediaHeaders('app.js').contentType)
  t.equal(mediaHeaders('page.8e0d62a1.html').cacheControl, 'no-cache')
})

/** How many of the hashes of each kind have to be seen. */
const SHARES: readonly [kind: string, least: number, name: (bytes: Uint8Array) => string][] = [
  ['20 of hex', 0.99, (bytes) => `main.${Buffer.from(bytes.subarray(0, 10)).toString('hex')}.js`],
  ['8 of hex', 0.85, (bytes) => `main.${Buffer.from(bytes.subarray(0, 4)).toString('hex')}.css`],
  ['8 of base64url', 0.8, (bytes) => `index-${Buffer.from(bytes.subarray(0, 6)).toString('base64url')}.js`],
  [
    '8 of base32',
    0.7,
    (bytes) =>
      `main-${Array.from(bytes.subarray(0, 8), (b) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[b & 31]).join('')}.js`,
  ],
]

for (const seed of seeds(4)) {
  t.test(`most hashes are seen (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    for (const [kind, least, name] of SHARES) {
      let seen = 0
      for (let i = 0; i < 1000; i++) if (isFingerprinted(name(random.bytes(10)))) seen++
      t.ok(seen >= least * 1000, `${seen} of 1000: ${kind}`)
    }
  })
}
