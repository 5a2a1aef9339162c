import { posix } from 'node:path'
import t from 'tap'
import { resolveGuestPath } from '../../../../edge/guest-host/wasi/guest-path.ts'
import { createRandom, type Random, seeds } from '../../../support/seeds.ts'

const PIECES = [
  '',
  '.',
  '..',
  '...',
  'a',
  'b',
  '..a',
  'a..',
  '%2e%2e',
  '‥',
  '．．',
  '..\\',
  '\\..\\',
  '~',
  '*',
  'é',
  ' ',
]
const code = (folder: string, path: string): unknown => {
  try {
    return resolveGuestPath(folder, path)
  } catch (error) {
    return error
  }
}

function randomPath(random: Random): string {
  const path = Array.from({ length: 1 + random.integer(8) }, () => random.pick(PIECES)).join('/')
  return random.chance(0.1) ? `/${path}` : path
}

for (const seed of seeds(200)) {
  t.test(
    `no path of any spelling leaves its folder, and each means what POSIX has it mean (SEED=${seed})`,
    async (t) => {
      const random = createRandom(seed)
      for (let i = 0; i < 50; i++) {
        const folder = random.pick(['', 'site', 'a/b', 'a/b/c'])
        const path = randomPath(random)
        const got = code(folder, path)
        if (path === '') t.equal(got, 'no-entry')
        else if (path.startsWith('/')) t.equal(got, 'not-permitted')
        else if (leaves(path)) t.equal(got, 'not-permitted', path)
        else {
          const below = posix.normalize(path).replace(/\/$/, '')
          const expected = below === '.' ? folder : posix.join(folder, below)
          t.match(got, { path: expected }, `${JSON.stringify(path)} in ${JSON.stringify(folder)}`)
          const segments = expected.split('/')
          if (expected !== '') t.notOk(segments.some((each) => each === '' || each === '.' || each === '..'))
          t.ok(`${expected}/`.startsWith(folder === '' ? '' : `${folder}/`))
        }
      }
    },
  )
}

/** By steps: above the folder at any moment, even if it comes back. */
function leaves(path: string): boolean {
  let depth = 0
  for (const segment of path.split('/')) {
    if (segment === '..') depth--
    else if (segment !== '' && segment !== '.') depth++
    if (depth < 0) return true
  }
  return false
}

t.test('names that are none', async (t) => {
  t.equal(code('', 'a\0b'), 'invalid')
  t.equal(code('', '\0'), 'invalid')
  t.equal(code('', '\ud800'), 'illegal-byte-sequence')
  t.equal(code('', 'a'.repeat(5000)), 'name-too-long')
  t.equal(code('', '../'.repeat(2000)), 'name-too-long')
  for (const path of ['a/', 'a/.', 'a/b/..', './'])
    t.match(code('', path), { mustBeFolder: true }, `${path} can be a folder only`)
  t.match(code('', 'a/../b'), { path: 'b', mustBeFolder: false })
})
