import { MessageChannel } from 'node:worker_threads'
import type { Runtime } from '../../core/index.ts'

/** Waits; the process stays alive meanwhile, which the runtime's timers alone do not see to. */
export async function pause(runtime: Pick<Runtime, 'after'>, delayMs: number): Promise<void> {
  const { port1, port2 } = new MessageChannel()
  port1.ref()
  try {
    await new Promise<void>((resolve) => void runtime.after(delayMs, resolve))
  } finally {
    port1.close()
    port2.close()
  }
}
