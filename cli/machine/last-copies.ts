import { type BlobHash, type Hostname, listDomains, Manifest, namedBlobs } from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import type { Connect } from '../client/connect.ts'
import type { ControlClient } from '../client/control-client.ts'
import type { Machine } from '../config/index.ts'

/** Files of a served release that no other machine that answers has. */
export interface LastCopies {
  readonly domain: Hostname
  readonly files: number
}

/**
 * What would be lost of the served releases with a machine, by asking the others. Undefined where none of them answers, so that
 * nobody knows. Rejects only where it is interrupted.
 */
export async function findLastCopies(
  client: ClusterClient,
  connect: Connect,
  leaving: string,
): Promise<readonly LastCopies[] | undefined> {
  const { profile, signal, state } = client
  const all = await Promise.all(profile.machines.map((machine) => reachFor(machine, client, connect)))
  await using stack = new AsyncDisposableStack()
  const reached = all.flatMap((one) => (one === undefined ? [] : [one]))
  for (const { control } of reached) stack.defer(() => control[Symbol.dispose]())
  signal.throwIfAborted()
  const others = reached.filter(({ machine }) => machine.name !== leaving).map(({ control }) => control)
  if (others.length === 0) return undefined
  const found: LastCopies[] = []
  for (const { apex, release } of listDomains(state)) {
    if (release === undefined) continue
    const manifest = await readManifest(
      release.manifest,
      reached.map(({ control }) => control),
      signal,
    )
    const files = manifest === undefined ? [] : [...manifest.files()].map(({ hash }) => hash)
    const wanted = [...new Set([...namedBlobs(release), ...files])]
    const lacking = await listLacking(wanted, others, signal)
    if (lacking > 0) found.push({ domain: apex, files: lacking })
  }
  return found
}

async function reachFor(
  machine: Machine,
  { profile, signal }: ClusterClient,
  connect: Connect,
): Promise<{ readonly machine: Machine; readonly control: ControlClient } | undefined> {
  let control: ControlClient | undefined
  try {
    control = await connect(machine)
    const { cluster } = await control.status({ signal, answerMs: ANSWER_MS })
    if (cluster.id === profile.cluster) return { machine, control }
  } catch {
    // It is as good as down, and what it has helps nobody now.
  }
  control?.[Symbol.dispose]()
  return undefined
}

const ANSWER_MS = 10_000

async function readManifest(
  hash: BlobHash,
  controls: readonly ControlClient[],
  signal: AbortSignal,
): Promise<Manifest | undefined> {
  for (const control of controls) {
    try {
      return Manifest.decode(await control.readBlob(hash, signal))
    } catch {
      signal.throwIfAborted()
    }
  }
  return undefined
}

/** How many of them none has. */
async function listLacking(
  wanted: readonly BlobHash[],
  controls: readonly ControlClient[],
  signal: AbortSignal,
): Promise<number> {
  let lacking: readonly BlobHash[] = wanted
  for (const control of controls) {
    if (lacking.length === 0) break
    lacking = await control.missingBlobs(lacking, signal)
  }
  return lacking.length
}
