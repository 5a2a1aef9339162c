import { availableParallelism } from 'node:os'
import { asMakiError, type BlobHash, type Log, type Runtime } from '../../../core/index.ts'
import { ComponentBuilder, type ComponentFault, DEFAULT_LIMITS } from '../../../edge/index.ts'
import type { Activation, BlobStore, GrantedSeals } from '../../../replication/index.ts'
import type { DaemonConfig } from '../../config/index.ts'
import type { Edge } from '../edge-messages.ts'
import type { EdgeAnswer, EdgeQuestion } from '../edge-questions.ts'
import { ComponentGate } from './component-gate.ts'
import { type ComponentCounts, ComponentKeeper } from './component-keeper.ts'
import { openEnvironment } from './environments.ts'
import { type ComponentTrouble, listTroubles } from './list-troubles.ts'

export interface StartComponentsOptions {
  readonly config: Pick<DaemonConfig, 'wasm'>
  /** Whether this node answers HTTP. */
  readonly serves: boolean
  readonly version: string
  /** `<data>/components`. */
  readonly directory: string
  readonly blobs: BlobStore
  readonly activation: Pick<Activation, 'active' | 'wanted'>
  readonly edge: Pick<Edge, 'activate'>
  readonly seals: Pick<GrantedSeals, 'open'>
  readonly onDamaged: (hash: BlobHash) => void
  readonly runtime: Runtime
  readonly log: Log
}

/** What a node does about components. */
export interface NodeComponents extends AsyncDisposable {
  /** Switches releases, when their components are ready. */
  readonly edge: Pick<Edge, 'activate'>
  /** Never rejects. */
  answer(question: ComponentQuestion): Promise<EdgeAnswer>
  /** Components of releases that are served, and cannot be run here. */
  troubles(): readonly ComponentTrouble[]
  /** Undefined where none are made ready. */
  readonly counts: ComponentCounts | undefined
}

/** What is asked about components. */
export type ComponentQuestion = Extract<EdgeQuestion, { kind: 'component' | 'environment' }>

/** Whether a question is one of these. */
export const isComponentQuestion = (question: EdgeQuestion): question is ComponentQuestion =>
  question.kind === 'component' || question.kind === 'environment'

const MB = 1024 * 1024
const LIMITS = {
  maxComponentBytes: DEFAULT_LIMITS.maxSizeBytes,
  maxOutputBytes: 96 * MB,
  timeoutMs: 30_000,
  maxMemoryBytes: 1024 * MB,
}
const SWITCHED_OFF: ComponentFault = {
  code: 'unsupported-feature',
  message: 'this node runs no WebAssembly',
  hint: 'Set enabled = true under [wasm] in its configuration.',
}

/** Starts making components ready where the configuration wants it. Where it cannot, files are served all the same. */
export async function startComponents(options: StartComponentsOptions): Promise<NodeComponents> {
  const { config, serves, edge, seals, activation, log } = options
  await using starting = new AsyncDisposableStack()
  const keeper = config.wasm.enabled && serves ? await startKeeper(options) : undefined
  if (keeper !== undefined) starting.use(keeper)
  const gate = keeper && starting.use(new ComponentGate({ ...options, edge, keeper }))
  const owned = starting.move()
  return {
    edge: gate ?? edge,
    async answer(question) {
      if (question.kind === 'environment') return openEnvironment(seals, question, log)
      if (keeper !== undefined) return await keeper.prepare(question.component)
      return config.wasm.enabled ? null : { fault: SWITCHED_OFF }
    },
    troubles: () => (keeper === undefined ? [] : listTroubles(activation.active(), (hash) => keeper.findFault(hash))),
    get counts() {
      return keeper?.counts
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function startKeeper(options: StartComponentsOptions): Promise<ComponentKeeper | undefined> {
  const { config, activation, runtime, log } = options
  const processes = Math.max(1, Math.floor(availableParallelism() / 2))
  const builder = new ComponentBuilder({ limits: LIMITS, processes }, { runtime, log })
  try {
    return await ComponentKeeper.start({
      ...options,
      builder,
      budgetBytes: config.wasm.components_cache_mb * MB,
      wanted: () => activation.wanted(),
    })
  } catch (error) {
    log.error('components.not-started', { error: asMakiError(error) })
    return undefined
  }
}
