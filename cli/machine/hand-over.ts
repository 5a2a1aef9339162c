import type { Operation } from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import type { Connect } from '../client/connect.ts'
import { waitUntil } from './wait-span.ts'

const TRY_MS = 30_000
const EVERY_MS = 1_000

/**
 * Makes sure that a machine other than one that leaves has an operation. Resolves with its name; undefined where none took it
 * in time, or at once where one is not patient. A machine that lacks what the operation follows is asked again: it hears that from the others.
 */
export async function handToAnother(
  operation: Operation,
  leaving: string,
  client: ClusterClient,
  connect: Connect,
  options: { readonly patient: boolean },
): Promise<string | undefined> {
  const others = client.profile.machines.filter(({ name }) => name !== leaving)
  if (others.length === 0) return undefined
  const { runtime, signal } = client
  return waitUntil(options.patient ? TRY_MS : 0, { runtime, signal, everyMs: EVERY_MS }, async () => {
    for (const machine of others) {
      try {
        using control = await connect(machine)
        const { cluster } = await control.status({ signal })
        if (cluster.id !== client.profile.cluster) continue
        await control.accept([operation.bytes], signal)
        return machine.name
      } catch {
        signal.throwIfAborted()
      }
    }
    return undefined
  })
}
