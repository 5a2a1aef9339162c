import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { SimulationResult } from './simulate.ts'

/** What a run gave; one that threw has a violation and little else. */
export type SeedResult = Pick<SimulationResult, 'seed' | 'violations'> & Partial<SimulationResult>

const script = fileURLToPath(new URL('run-seeds.ts', import.meta.url))

/** Runs seeds in a process of their own, and gives each result as it comes. Throws when the process fails. */
export async function* runSeeds(options: {
  readonly from: number
  readonly to: number
  readonly step: number
  readonly fault: string | undefined
}): AsyncGenerator<SeedResult, void, void> {
  const { from, to, step, fault } = options
  const planted = fault === undefined ? [] : ['--fault', fault]
  const child = spawn(process.execPath, [script, String(from), String(to), String(step), ...planted], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  try {
    for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line) as SeedResult
    const code = await ended
    if (code !== 0) throw new Error(`the process of the simulation ended with ${code}`)
  } finally {
    child.kill()
  }
}
