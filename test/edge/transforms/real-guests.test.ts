import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { type BlobHash, silentLog, type TransformValue } from '../../../core/index.ts'
import { buildMeta, ComponentBuilder, encodeMeta, GLUE_FILE, META_FILE } from '../../../edge/component-builder/index.ts'
import { Guests, type PreparedComponent } from '../../../edge/guests/index.ts'
import type { TransformOutcome, TransformService } from '../../../edge/transforms/index.ts'
import { buildJsGuest } from '../../support/guests/build-js.ts'
import { buildWatGuest } from '../../support/guests/build-wat.ts'
import { MIB, Scene } from './fakes.ts'

/** Transforms that are components, made ready and run as on a node. */

const LIMITS = { maxComponentBytes: 32 * MIB, maxOutputBytes: 64 * MIB, timeoutMs: 60_000, maxMemoryBytes: 1024 * MIB }

const builder = new ComponentBuilder({ limits: LIMITS, processes: 1 }, { runtime: systemRuntime, log: silentLog })
/** Each component once. */
const built = new Map<BlobHash, ReturnType<ComponentBuilder['build']>>()

t.teardown(() => builder[Symbol.asyncDispose]())

class Node {
  readonly scene: Scene
  readonly guests: Guests
  readonly #folder: string
  readonly #prepared = new Map<BlobHash, PreparedComponent>()

  constructor(t: Test, files: Readonly<Record<string, string>>) {
    const ports = { runtime: systemRuntime, log: silentLog }
    this.scene = new Scene(t, files)
    this.#folder = `${this.scene.directory}-components`
    this.guests = new Guests(
      {
        limits: { defaultTimeoutMs: 2000, maxTimeoutMs: 5000, defaultMemoryBytes: 64 * MIB, maxMemoryBytes: 256 * MIB },
        pool: { maxProcesses: 2, spares: 0 },
      },
      {
        ...ports,
        blobs: this.scene.blobs,
        context: () => this.scene.context,
        prepare: async (component) => {
          const prepared = this.#prepared.get(component)
          return prepared === undefined ? undefined : { prepared }
        },
        openEnvironment: async () => ({}),
      },
    )
    t.teardown(() => this.guests.close())
  }

  /** A transform of this component, which lies ready. */
  async step(bytes: Uint8Array, part: Partial<TransformValue> = {}): Promise<TransformValue> {
    const component = this.scene.blobs.add(bytes)
    const job = { component, sizeBytes: bytes.length, read: async () => bytes }
    const building = built.get(component) ?? builder.build(job)
    built.set(component, building)
    const made = await building
    if (made.kind !== 'ready') throw new Error(JSON.stringify(made))
    const folder = join(this.#folder, component)
    mkdirSync(folder, { recursive: true })
    for (const [name, file] of [[GLUE_FILE, made.files.glue] as const, ...made.files.modules])
      writeFileSync(join(folder, name), file)
    writeFileSync(join(folder, META_FILE), encodeMeta(buildMeta(component, made.report, made.files)))
    const modules = [...made.files.modules.keys()]
    this.#prepared.set(component, { component, world: made.report.world, folder, modules })
    return { path: 't.wasm', component, files: '**', ...part }
  }

  service(): Promise<TransformService> {
    return this.scene.service({ ports: { runner: this.guests } })
  }
}

function textOf(service: TransformService, outcome: TransformOutcome): string {
  if (outcome.kind !== 'done') throw new Error(`it is ${outcome.kind}`)
  return readFileSync(service.path(outcome.result.hash), 'utf8')
}

t.test('components follow each other; what leaves a file as it is leaves it', async (t) => {
  const node = new Node(t, { 'index.html': '<p>home' })
  const append = await node.step(await buildWatGuest('transform-append'))
  const none = await node.step(await buildWatGuest('transform-none'))
  const service = await node.service()
  const job = node.scene.job('index.html', append, none, append)
  const outcome = await service.transform(job)
  t.equal(textOf(service, outcome), '<p>home<!-- seen -->\n<!-- seen -->\n')
  t.match(outcome, { result: { headers: [['x-seen', 'yes']], mimeType: undefined } })
  t.strictSame(await service.transform(node.scene.job('index.html', none)), { kind: 'original' })
  t.match(service.counters.steps, { changed: 2, unchanged: 2, trap: 0 })
})

t.test('one that traps, and one that gives headers without end, spoil nothing', async (t) => {
  const node = new Node(t, { 'index.html': '<p>home' })
  const append = await node.step(await buildWatGuest('transform-append'))
  const service = await node.service()
  for (const name of ['transform-trap', 'transform-amplify-headers'] as const) {
    const bad = await node.step(await buildWatGuest(name))
    t.strictSame(await service.transform(node.scene.job('index.html', append, bad)), { kind: 'failed' }, name)
  }
  t.match(textOf(service, await service.transform(node.scene.job('index.html', append))), '<!-- seen -->')
})

t.test('one written in JavaScript', async (t) => {
  const node = new Node(t, { 'index.html': '<body>home</body>', 'style.css': 'a{}' })
  const banner = await node.step(await buildJsGuest('transform-banner'))
  const service = await node.service()
  const outcome = await service.transform(node.scene.job('index.html', banner))
  t.equal(textOf(service, outcome), '<body>home<p>banner /index.html text/html 17 node1</p></body>')
  t.match(outcome, { result: { headers: [['x-banner', 'yes']] } })
  t.strictSame(await service.transform(node.scene.job('style.css', banner)), { kind: 'original' })
})
