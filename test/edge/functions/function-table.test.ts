import t from 'tap'
import { FunctionTable } from '../../../edge/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { functionValue } from './support.ts'

const tableOf = (...paths: string[]) => new FunctionTable(paths.map((path) => functionValue(path)))
const routed = (table: FunctionTable, path: string) => table.find(path)?.path

t.test('a route is the path of the component without its ending', async (t) => {
  const table = tableOf('api/hello.wasm', 'api/index.wasm', 'index.wasm', 'Über/a b.wasm', 'x.wasm.wasm')
  t.equal(routed(table, 'api/hello'), 'api/hello.wasm')
  t.equal(routed(table, 'api'), 'api/index.wasm')
  t.equal(routed(table, ''), 'index.wasm')
  t.equal(routed(table, 'Über/a b'), 'Über/a b.wasm')
  t.equal(routed(table, 'x.wasm'), 'x.wasm.wasm')
  for (const path of ['api/hello.wasm', 'api/index', 'API/hello', 'api/hello/x', 'index'])
    t.notOk(table.find(path), path)
  t.ok(table.isComponent('api/hello.wasm'))
  t.notOk(table.isComponent('api/hello'))
  t.same(
    table.functions.map(({ route }) => route),
    ['api/hello', 'api', '', 'x.wasm', 'Über/a b'],
  )
})

t.test('one segment, one or more, any number', async (t) => {
  const table = tableOf('u/[id].wasm', 'u/[id]/posts.wasm', 'c/[...rest].wasm', 'o/[[...rest]].wasm')
  t.equal(routed(table, 'u/7'), 'u/[id].wasm')
  t.equal(routed(table, 'u/7/posts'), 'u/[id]/posts.wasm')
  t.equal(routed(table, 'c/a'), 'c/[...rest].wasm')
  t.equal(routed(table, 'c/a/b/c'), 'c/[...rest].wasm')
  t.equal(routed(table, 'o'), 'o/[[...rest]].wasm')
  t.equal(routed(table, 'o/a/b'), 'o/[[...rest]].wasm')
  for (const path of ['', 'u', 'u/7/x', 'c']) t.notOk(table.find(path), path)
  t.equal(routed(tableOf('[...all].wasm'), 'x/y'), '[...all].wasm')
  t.equal(routed(tableOf('[...all].wasm'), ''), undefined)
  t.equal(routed(tableOf('a[id].wasm'), 'ax'), undefined, 'a segment is a name, or it is not')
  t.equal(routed(tableOf('[...x]/y.wasm'), 'a/y'), undefined)
})

t.test('of two functions with one route the first by name answers', async (t) => {
  t.equal(routed(tableOf('api/index.wasm', 'api.wasm'), 'api'), 'api.wasm')
  t.equal(routed(tableOf('u/[b].wasm', 'u/[a].wasm'), 'u/x'), 'u/[a].wasm')
})

/** Which of two segments of routes is asked first: names, then one segment, then some, then any. */
const rankOf = (segment: string): number =>
  segment.startsWith('[[...') ? 3 : segment.startsWith('[...') ? 2 : segment.startsWith('[') ? 1 : 0

/** All routes are tried, one by one, and the best is taken. */
function findNaively(paths: readonly string[], asked: string): string | undefined {
  const segments = asked === '' ? [] : asked.split('/')
  const matching = paths.filter((path) => {
    const route = segmentsOf(path)
    const rank = rankOf(route.at(-1) ?? '')
    const fixed = rank >= 2 ? route.slice(0, -1) : route
    const rest = segments.length - fixed.length
    if (rank < 2 ? rest !== 0 : rest < (rank === 2 ? 1 : 0)) return false
    return fixed.every((segment, i) => rankOf(segment) === 1 || segment === segments[i])
  })
  return matching.sort((a, b) => compare(segmentsOf(a), segmentsOf(b)) || (a < b ? -1 : 1))[0]
}

function segmentsOf(path: string): string[] {
  const segments = path.replace(/\.wasm$/, '').split('/')
  if (segments.at(-1) === 'index') segments.pop()
  return segments
}

function compare(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [one, other] = [a[i], b[i]]
    // Who ends goes before who may end.
    if (one === undefined) return -1
    if (other === undefined) return 1
    if (rankOf(one) !== rankOf(other)) return rankOf(one) - rankOf(other)
  }
  return 0
}

function randomPath(random: Random): string {
  const segments = Array.from({ length: random.integer(4) }, () => random.pick(['a', 'b', 'index', '[x]', '[y]']))
  return [...segments, random.pick(['a', 'b', '[x]', '[...x]', '[...y]', '[[...x]]', 'index'])].join('/')
}

for (const seed of seeds(200))
  t.test(`a table finds what is found one by one, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const paths = [...new Set(Array.from({ length: 1 + random.integer(12) }, () => `${randomPath(random)}.wasm`))]
    const table = tableOf(...random.shuffle(paths))
    for (let i = 0; i < 60; i++) {
      const asked = Array.from({ length: random.integer(5) }, () => random.pick(['a', 'b', 'c', 'index'])).join('/')
      const found = routed(table, asked)
      if (found !== findNaively(paths, asked))
        t.same({ asked, found }, { asked, found: findNaively(paths, asked) }, paths.join(' '))
    }
    t.pass('compared')
  })

t.test('a table that was made to be slow is not', async (t) => {
  const values: string[] = []
  for (let bits = 0; bits < 1000; bits++)
    values.push(`${Array.from({ length: 10 }, (_, i) => ((bits >> i) & 1 ? 'a' : '[x]')).join('/')}/end.wasm`)
  const table = tableOf(...values)
  for (let i = 0; i < 200; i++) t.notOk(table.find(`${'a/'.repeat(10)}nothing`))
})
