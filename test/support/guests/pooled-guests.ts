import { createHash } from 'node:crypto'
import { systemRuntime } from '../../../cli/system.ts'
import { type Hostname, silentLog } from '../../../core/index.ts'
import { ComponentBuilder } from '../../../edge/component-builder/component-builder.ts'
import type { PreparedFiles } from '../../../edge/component-builder/index.ts'
import type { Answer, Ask, GuestInput, GuestServices, GuestSpec } from '../../../edge/guests/index.ts'
import { buildWatGuest, type GuestName } from './build-wat.ts'

const MIB = 1024 * 1024

/** A guest that was made ready by the real builder, with what it is run with. */
export interface ReadyGuest {
  readonly spec: GuestSpec
  readonly read: () => Promise<PreparedFiles>
}

const ready = new Map<string, Promise<PreparedFiles>>()

/** Makes a component ready as a node does, once in a process. */
export function prepareFiles(component: Uint8Array): Promise<PreparedFiles> {
  const hash = createHash('sha256').update(component).digest('hex')
  const preparing = ready.get(hash) ?? build(component, hash)
  ready.set(hash, preparing)
  return preparing
}

async function build(component: Uint8Array, hash: string): Promise<PreparedFiles> {
  const limits = {
    maxComponentBytes: 32 * MIB,
    maxOutputBytes: 96 * MIB,
    timeoutMs: 120_000,
    maxMemoryBytes: 1024 * MIB,
  }
  await using builder = new ComponentBuilder({ limits, processes: 1 }, { runtime: systemRuntime, log: silentLog })
  const built = await builder.build({
    component: hash as never,
    sizeBytes: component.length,
    read: async () => component,
  })
  if (built.kind === 'ready') return built.files
  throw new Error(`the component cannot be made ready: ${JSON.stringify(built)}`)
}

/** `component`: bytes, or the name of a guest in text. Further fields replace those of a usual spec. */
export async function readyGuest(
  component: Uint8Array | GuestName,
  more: Partial<GuestSpec> = {},
): Promise<ReadyGuest> {
  const bytes = typeof component === 'string' ? await buildWatGuest(component) : component
  const files = await prepareFiles(bytes)
  const name = typeof component === 'string' ? component : 'guest'
  const world = name.startsWith('transform') ? 'transform' : 'http'
  const spec: GuestSpec = {
    key: `${more.domain ?? 'a.test'} ${name}`,
    domain: 'a.test' as Hostname,
    name: `${name}.wasm`,
    prepared: { component: createHash('sha256').update(bytes).digest('hex') as never, world, folder: '', modules: [] },
    env: {},
    timeoutMs: 10_000,
    maxMemoryBytes: 64 * MIB,
    ...more,
  }
  return { spec, read: async () => files }
}

export const CONTEXT = { name: 'berlin', latitude: 52.5, longitude: 13.4 }

export const request = (path = '/', body?: string): GuestInput => ({
  world: 'http',
  context: CONTEXT,
  request: {
    method: 'get',
    path,
    query: undefined,
    headers: [],
    body: body === undefined ? undefined : Buffer.from(body),
  },
})

export const file = (content: string): GuestInput => ({
  world: 'transform',
  context: CONTEXT,
  file: { path: 'index.html', mimeType: 'text/html', content: Buffer.from(content) },
})

/** Services that deny everything, and note what was asked. */
export function denyAll(asked: Ask[] = []): GuestServices & { readonly asked: Ask[]; closed: number } {
  return {
    asked,
    closed: 0,
    async answer(ask): Promise<{ header: Answer }> {
      asked.push(ask)
      return { header: { error: 'access-denied' } }
    },
    close() {
      this.closed++
    },
  }
}
