import { findRelease, type Hostname, MakiError, type OperationId, type Runtime } from '../../core/index.ts'
import type { NodeStatus } from '../../edge/index.ts'
import type { WaitFor } from './sync-events.ts'
import type { SyncTarget } from './sync-target.ts'

/** A release that nodes are to switch to. */
export interface AwaitedRelease {
  readonly domain: Hostname
  readonly operation: OperationId
  /** It was published before: whoever serves it already is not told of, and what is newer by now is as good. */
  readonly isOld?: boolean
}

export interface WaitOptions {
  readonly waitFor: WaitFor
  readonly timeoutMs: number
  readonly runtime: Pick<Runtime, 'after'>
  readonly signal?: AbortSignal | undefined
  readonly onSwitched: (domain: Hostname, node: string) => void
}

/**
 * Waits until the nodes serve the releases, or newer ones; each node is told of once for each domain. Throws
 * MAKI_TIMEOUT that names the nodes that are missing, MAKI_UNREACHABLE when there is no more word of the nodes.
 */
export async function waitForNodes(
  releases: readonly AwaitedRelease[],
  target: SyncTarget,
  options: WaitOptions,
): Promise<void> {
  const { waitFor, timeoutMs, runtime, onSwitched } = options
  if (waitFor === 'none' || releases.length === 0) return
  const ended = new AbortController()
  const cancel = runtime.after(timeoutMs, () => ended.abort(TIMED_OUT))
  const signal = options.signal === undefined ? ended.signal : AbortSignal.any([options.signal, ended.signal])
  const told = new Set<string>()
  let missing: readonly Missing[] = []
  let isFirst = true
  try {
    for await (const nodes of untilAborted(target.nodes(signal), signal)) {
      for (const node of nodes) {
        for (const release of releases) {
          const key = `${node.key} ${release.domain}`
          if (!told.has(key) && serves(node, release, target)) {
            told.add(key)
            if (!isFirst || release.isOld !== true) onSwitched(release.domain, node.name)
          }
        }
      }
      isFirst = false
      missing = listMissing(nodes, releases, target, waitFor)
      if (missing.length === 0) return
    }
  } catch (thrown) {
    if (ended.signal.aborted) throw timedOut(missing, timeoutMs)
    throw options.signal?.aborted === true ? options.signal.reason : thrown
  } finally {
    cancel()
    ended.abort()
  }
  throw new MakiError('MAKI_UNREACHABLE', `published, but there is no more word of the nodes${nameMissing(missing)}`, {
    hint: 'See how far they are with: maki status',
  })
}

interface Missing {
  readonly domain: Hostname
  /** Empty when there is no node that could be waited for. */
  readonly nodes: readonly string[]
}

/** What is still to be waited for; pure. */
export function listMissing(
  nodes: readonly NodeStatus[],
  releases: readonly AwaitedRelease[],
  target: ReleaseSight,
  waitFor: Exclude<WaitFor, 'none'>,
): readonly Missing[] {
  const asked = waitFor === 'all' ? nodes : nodes.filter((node) => node.up)
  return releases.flatMap((release): Missing[] => {
    const late = asked.filter((node) => !serves(node, release, target))
    const isDone = waitFor === 'one' ? late.length < asked.length : late.length === 0 && asked.length > 0
    return isDone ? [] : [{ domain: release.domain, nodes: late.map((node) => node.name) }]
  })
}

/** What tells which release is the newer one. */
type ReleaseSight = Pick<SyncTarget, 'isNewer'> & Partial<Pick<SyncTarget, 'state'>>

function serves(node: NodeStatus, release: AwaitedRelease, target: ReleaseSight): boolean {
  const active = node.active[release.domain]
  if (active === undefined) return false
  // Somebody published at the same time, and the owner wants both.
  if (node.merged[release.domain]?.includes(release.operation) === true) return true
  if (release.isOld === true && target.state !== undefined && active === findRelease(target.state, release.domain)?.id)
    return true
  return active === release.operation || target.isNewer?.(active, release.operation) === true
}

/** Ends with the signal's reason also when the source does not listen to it. */
async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]()
  const aborted = Promise.withResolvers<never>()
  aborted.promise.catch(() => {})
  const abort = () => aborted.reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted.promise])
      if (next.done === true) {
        signal.throwIfAborted()
        return
      }
      yield next.value
    }
  } finally {
    signal.removeEventListener('abort', abort)
    // Not awaited: a source that hangs would keep the command from ending.
    iterator.return?.().catch(() => {})
  }
}

const TIMED_OUT = 'timed out'

function timedOut(missing: readonly Missing[], timeoutMs: number): MakiError {
  const seconds = Math.round(timeoutMs / 1000)
  return new MakiError(
    'MAKI_TIMEOUT',
    `published, but not served everywhere after ${seconds} s${nameMissing(missing)}`,
    {
      hint: 'The nodes go on by themselves. See how far they are with: maki status',
    },
  )
}

function nameMissing(missing: readonly Missing[]): string {
  const parts = missing.map(({ domain, nodes }) => `${domain} on ${nodes.length === 0 ? 'any node' : nodes.join(', ')}`)
  return parts.length === 0 ? '' : `; missing: ${parts.join('; ')}`
}
