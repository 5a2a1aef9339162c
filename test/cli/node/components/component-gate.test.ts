import t from 'tap'
import { ComponentGate } from '../../../../cli/node/components/component-gate.ts'
import {
  type BlobHash,
  type Cancel,
  type Hostname,
  type OperationId,
  type Release,
  silentLog,
} from '../../../../core/index.ts'
import { createRandom, seeds } from '../../../support/seeds.ts'
import { hashOf } from './made-components.ts'

const DOMAIN = 'a.test' as Hostname

const releaseOf = (id: string, ...components: string[]) =>
  ({
    id: id as OperationId,
    domain: DOMAIN,
    functions: components.map((name) => ({ path: `${name}.wasm`, component: hashOf(name) })),
  }) as unknown as Release

/** A keeper and an edge that the test moves. */
class World {
  readonly settled = new Set<BlobHash>()
  readonly hurried = new Set<BlobHash>()
  readonly served: (string | null)[] = []
  readonly waits: { readonly components: readonly BlobHash[]; readonly resolve: () => void }[] = []
  readonly #timers = new Set<() => void>()
  readonly gate = new ComponentGate({
    keeper: {
      isSettled: (component) => this.settled.has(component),
      hurry: (component) => void this.hurried.add(component),
      want: (_domain, components) =>
        components.every((component) => this.settled.has(component))
          ? Promise.resolve()
          : new Promise((resolve) => this.waits.push({ components, resolve })),
    },
    edge: {
      activate: async (_domain, release) => void this.served.push(release?.id ?? null),
    },
    runtime: {
      monotonic: () => 0,
      after: (_ms, call): Cancel => {
        this.#timers.add(call)
        return () => void this.#timers.delete(call)
      },
    },
    log: silentLog,
  })

  get timers(): number {
    return this.#timers.size
  }

  settle(...names: string[]): void {
    for (const name of names) this.settled.add(hashOf(name))
    for (const { components, resolve } of this.waits) if (components.every((one) => this.settled.has(one))) resolve()
  }

  timeOut(): void {
    for (const call of this.#timers) call()
    this.#timers.clear()
  }
}

t.test('what has no components, or only ready ones, is switched to without a turn of the loop', async (t) => {
  const { gate, served, settle } = bind(new World())
  void gate.activate(DOMAIN, releaseOf('1'))
  t.strictSame(served, ['1'])
  settle('a')
  void gate.activate(DOMAIN, releaseOf('2', 'a'))
  t.strictSame(served, ['1', '2'])
  void gate.activate(DOMAIN, null)
  t.strictSame(served, ['1', '2', null])
})

t.test('the first release of a domain is served at once', async (t) => {
  const { gate, served } = bind(new World())
  void gate.activate(DOMAIN, releaseOf('1', 'a'))
  t.strictSame(served, ['1'])
  void gate.activate(DOMAIN, null)
  void gate.activate(DOMAIN, releaseOf('2', 'b'))
  t.strictSame(served, ['1', null, '2'])
})

t.test('the release before goes on until the components are ready', async (t) => {
  const world = new World()
  const { gate, served, settle } = bind(world)
  await gate.activate(DOMAIN, releaseOf('1'))
  const switching = gate.activate(DOMAIN, releaseOf('2', 'a', 'b'))
  t.strictSame([...world.hurried], [hashOf('a'), hashOf('b')], 'they come before what nobody waits for')
  settle('a')
  await Promise.resolve()
  t.strictSame(served, ['1'])
  settle('b')
  await switching
  t.strictSame(served, ['1', '2'])
  t.equal(world.timers, 0)
})

t.test('and no longer than twenty seconds', async (t) => {
  const world = new World()
  const { gate, served } = bind(world)
  await gate.activate(DOMAIN, releaseOf('1'))
  const switching = gate.activate(DOMAIN, releaseOf('2', 'a'))
  world.timeOut()
  await switching
  t.strictSame(served, ['1', '2'])
})

t.test('who is overtaken does nothing, and neither does who is closed', async (t) => {
  const { gate, served, settle } = bind(new World())
  await gate.activate(DOMAIN, releaseOf('1'))
  const late = gate.activate(DOMAIN, releaseOf('2', 'a'))
  await gate.activate(DOMAIN, releaseOf('3'))
  settle('a')
  await late
  t.strictSame(served, ['1', '3'])
  const cut = gate.activate(DOMAIN, releaseOf('4', 'b'))
  gate[Symbol.dispose]()
  await cut
  t.strictSame(served, ['1', '3'])
})

t.test('an edge that cannot is told to who asked', async (t) => {
  const world = new World()
  const failing = new ComponentGate({
    keeper: { isSettled: () => true, want: async () => {}, hurry: () => {} },
    edge: { activate: () => Promise.reject(new Error('no manifest')) },
    runtime: { monotonic: () => 0, after: () => () => {} },
    log: silentLog,
  })
  await t.rejects(failing.activate(DOMAIN, releaseOf('1', 'a')), { message: 'no manifest' })
  t.strictSame(world.served, [])
})

for (const seed of seeds(300)) {
  t.test(
    `in whatever order it goes, the last that was asked for is what is served, and none comes back, seed ${seed}`,
    async (t) => {
      const random = createRandom(seed)
      const world = new World()
      const { gate, served, settle } = bind(world)
      const asked: (string | null)[] = []
      const names = ['a', 'b', 'c', 'd']
      const switching: Promise<void>[] = []
      for (let i = 0; i < 30; i++) {
        const act = random.integer(6)
        if (act === 0) settle(random.pick(names))
        else if (act === 1 && random.chance(0.3)) world.timeOut()
        else if (act === 2) await Promise.resolve()
        else {
          const release = random.chance(0.1) ? null : releaseOf(String(i), ...names.filter(() => random.chance(0.3)))
          asked.push(release?.id ?? null)
          switching.push(gate.activate(DOMAIN, release))
        }
      }
      settle(...names)
      await Promise.all(switching)
      t.strictSame(served.at(-1), asked.at(-1))
      // Each is served at most once, in the order in which they were asked for.
      let at = 0
      for (const one of served) {
        at = asked.indexOf(one, at) + 1
        if (at === 0) t.fail(`${served} of ${asked}`)
      }
      t.equal(world.timers, 0)
    },
  )
}

function bind(world: World) {
  const { gate, served } = world
  return { gate, served, settle: (...names: string[]) => world.settle(...names) }
}
