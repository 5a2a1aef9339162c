import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Child } from '../support/child.ts'
import { eventually } from '../support/eventually.ts'
import { createRandom, seeds } from '../support/seeds.ts'
import { Dev, parseJson } from './support/dev.ts'
import { EventCounter } from './support/event-counter.ts'
import { buildGeneration, compareSite, type Generation, MixWatch } from './support/generations.ts'
import { encodePath, Visitor } from './support/http.ts'
import { writeProject } from './support/project.ts'
import { isAlive, MAKI, Scene } from './support/scene.ts'

/** Kills in the middle of things: what was acknowledged is there in the end, whole, on all nodes, and never mixed. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const HOST = 'shop.test'
const PACE_MS = 10
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const base = writeProject(scene.path('base'), { domain: 'base.test', files: { 'index.html': 'base' } })
const shop = writeProject(scene.path('shop'), { domain: HOST })
const dev = await Dev.start(scene, base)
t.teardown(() => dev[Symbol.asyncDispose]())
const watch = new MixWatch()
let generation = 0
/** How many events a sync makes at a node; the moments to kill at are drawn from so many. */
let usualEvents = 0

function writeNext(seed: number): Generation {
  generation += 1
  const files = buildGeneration(generation, createRandom(seed))
  for (const [path, content] of files) writeProject(shop, { domain: HOST, files: { [path]: content } })
  return files
}

const sync = () => dev.maki(['sync', '--wait', 'all', '--json'], { cwd: shop })

/** Types the command again until it succeeds, as a person would; what cannot be reached or waited for ends with 3 or 4. */
async function syncUntilDone(t: Test): Promise<void> {
  await eventually(
    'a sync that succeeds',
    async () => {
      const outcome = await sync()
      if (outcome.code === 0) return outcome
      if (outcome.code !== 3 && outcome.code !== 4) t.fail(`sync ended with ${outcome.code}: ${outcome.stdout}`)
      throw new Error(outcome.stdout)
    },
    { tries: 20 },
  )
}

async function checkAll(t: Test, wanted: Generation): Promise<void> {
  using visitor = new Visitor()
  for (const { name, http } of dev.nodes) {
    t.strictSame(await compareSite(visitor, http, HOST, wanted), [], `${name} serves the whole newest release`)
  }
  const status = await eventually(
    'equal digests',
    async () => {
      const found = await dev.maki(['status', '--json'])
      return found.code === 0
        ? parseJson<{ nodes: { digest: string; up: boolean }[]; pending: string[] }>(found)
        : undefined
    },
    { tries: 60 },
  )
  t.equal(new Set(status.nodes.map(({ digest }) => digest)).size, 1, 'all nodes have the same')
  t.strictSame(status.pending, [], 'nothing waits')
}

/** Folders of a node in which files come and go while it takes or fetches a release. */
const foldersOf = (node: string): string[] => [
  scene.path('data', node),
  scene.path('data', node, 'data'),
  scene.path('data', node, 'data', 'incoming'),
]

/** Visits the nodes in turn until stopped; one that was killed is left out until it is back. */
async function visit(signal: AbortSignal): Promise<void> {
  using visitor = new Visitor({ connections: 1 })
  const paths = [...buildGeneration(0, createRandom(1)).keys()]
  const away = new Set<string>()
  for (let i = 0; !signal.aborted; i++) {
    const path = paths[i % paths.length] as string
    // A pace, not a wait: a visitor without one takes the machine from those that are visited.
    await pause(PACE_MS)
    for (const { name, http } of dev.nodes) {
      if (away.has(name)) continue
      const from = dev.mark
      const answer = await visitor.get(http, HOST, encodePath(path)).catch(() => undefined)
      if (answer !== undefined) watch.look(name, path, answer)
      if (answer !== undefined || isAlive(dev.pidOf(name))) continue
      away.add(name)
      void dev.event('node-recovered', from, `"${name}"`).then(() => away.delete(name))
    }
  }
}

const stopVisits = new AbortController()
const visits = visit(stopVisits.signal)
t.teardown(async () => {
  stopVisits.abort()
  await visits
})

t.test('a first sync, undisturbed', async (t) => {
  using counter = new EventCounter(foldersOf('node1'))
  const wanted = writeNext(0)
  await syncUntilDone(t)
  usualEvents = counter.count
  t.ok(usualEvents > 10, `${usualEvents} events were seen at node1`)
  await checkAll(t, wanted)
})

for (const seed of seeds(4)) {
  t.test(`a node is killed during a sync, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    // The node that takes the release is killed as often as those that fetch it.
    const victim = seed % 2 === 1 ? 'node1' : random.pick(['node2', 'node3'])
    const moment = 1 + random.integer(usualEvents)
    using counter = new EventCounter(foldersOf(victim))
    const reached = counter.after(moment)
    const wanted = writeNext(seed)
    const syncing = sync()
    await Promise.race([reached, syncing])
    const seen = counter.count
    await dev.killNode(victim)
    t.comment(
      `${victim} was killed at event ${seen} of about ${usualEvents}; the sync ended with ${(await syncing).code}`,
    )
    await syncUntilDone(t)
    await checkAll(t, wanted)
  })
}

for (const seed of seeds(3)) {
  t.test(`maki is killed during a sync and typed again, seed ${seed}`, async (t) => {
    const random = createRandom(1000 + seed)
    const moment = 1 + random.integer(usualEvents)
    using counter = new EventCounter(foldersOf('node1'))
    const reached = counter.after(moment)
    const wanted = writeNext(1000 + seed)
    const env = { ...scene.env, MAKIATTO_PROFILE: dev.profile }
    await using child = new Child(MAKI, ['sync', '--wait', 'all'], { cwd: shop, env })
    await Promise.race([reached, child.ended])
    child.kill('SIGKILL')
    const { signal } = await child.ended
    t.comment(
      `killed at event ${counter.count} of about ${usualEvents}${signal === null ? ', it had ended before' : ''}`,
    )
    const again = await sync()
    t.equal(again.code, 0, again.code === 0 ? 'the next sync does it' : again.stdout)
    await checkAll(t, wanted)
  })
}

t.test('no visitor saw a mix while all that happened', async (t) => {
  stopVisits.abort()
  await visits
  t.strictSame(watch.violations, [])
  t.ok(watch.seen > 100 && watch.releases > 1, `${watch.seen} responses of ${watch.releases} releases`)
})

t.test('maki dev is killed with -9: no node outlives it, and the next start has all', async (t) => {
  const wanted = buildGeneration(generation, createRandom(1000 + (seeds(3).at(-1) as number)))
  const pids = dev.nodes.map(({ name }) => dev.pidOf(name))
  dev.child.kill('SIGKILL')
  await dev.child.ended
  await eventually('the end of all nodes', () => (pids.some(isAlive) ? undefined : true), { tries: 600 })
  writeFileSync(join(base, 'public', 'index.html'), 'changed while nothing ran')
  await using again = await Dev.start(scene, base)
  using visitor = new Visitor()
  for (const { name, http } of again.nodes) {
    t.strictSame(await compareSite(visitor, http, HOST, wanted), [], `${name} serves what it served`)
    const { body } = await visitor.get(http, 'base.test', '/')
    t.equal(body.toString(), 'changed while nothing ran')
  }
  t.equal((await again.stop()).code, 130)
})

t.test('nothing is left behind', async (t) => {
  t.strictSame(await scene.leftovers(), [])
})
