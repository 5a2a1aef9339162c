import type { Runtime } from '../../core/index.ts'

/** What `makiatto setup` does on a server; loaded when it runs, since `maki` only wants to know what it understands. */
export async function runSetup(runtime: Runtime): Promise<void> {
  const setup = await import('./run-setup.ts')
  await setup.runSetup(runtime)
}

/** What `makiatto apply` does, in a process of its own that outlives the setup that started it. */
export async function runActivation(runtime: Runtime): Promise<void> {
  const activation = await import('./apply-activation.ts')
  await activation.runActivation(runtime)
}
