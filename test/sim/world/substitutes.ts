import crypto, { type KeyObject } from 'node:crypto'
import fs from 'node:fs'
import promises from 'node:fs/promises'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers/promises'
import { isVirtualDescriptor, virtualPromises, virtualSync } from './files.ts'
import { VirtualLevel } from './level.ts'
import { VIRTUAL_ROOT } from './process-life.ts'
import type { Scheduler } from './scheduler.ts'

/**
 * Puts simulated ones in the place of what the product takes from Node and from Level without a port: files, yields to
 * the event loop, Level. To be imported before anything of the product; everything real goes on for real paths.
 */

type Call = (...args: unknown[]) => unknown
const isVirtual = (first: unknown) => typeof first === 'string' && first.startsWith(`${VIRTUAL_ROOT}/`)

function divert(target: object, substitutes: object, isOurs: (first: unknown) => boolean): void {
  const real = { ...target } as Record<string, Call>
  for (const [name, substitute] of Object.entries(substitutes) as [string, Call][]) {
    const original = real[name] as Call
    Object.assign(target, { [name]: (...args: unknown[]) => (isOurs(args[0]) ? substitute : original)(...args) })
  }
}

divert(promises, virtualPromises, isVirtual)
const { openSync, ...byDescriptor } = virtualSync
divert(fs, { openSync }, isVirtual)
divert(fs, byDescriptor, isVirtualDescriptor)

let scheduler: Scheduler | undefined

/** From now on yields to the event loop happen in this virtual time; undefined: in real time. */
export function installScheduler(next: Scheduler | undefined): void {
  scheduler = next
  verdicts = new WeakMap()
}

const realYield = timers.setImmediate
Object.assign(timers, {
  setImmediate: <T>(value?: T): Promise<T | undefined> => {
    const present = scheduler
    if (present === undefined) return realYield(value)
    return new Promise((resolve) => present.after(0, () => resolve(value)))
  },
})

/** Every node checks the same signatures, which is most of the work of a run; what came of one holds for all. */
let verdicts = new WeakMap<KeyObject, Map<string, boolean>>()
const realVerify = crypto.verify as (...args: unknown[]) => boolean
Object.assign(crypto, {
  verify: (...args: unknown[]): boolean => {
    const [algorithm, data, key, signature] = args as [unknown, Uint8Array, KeyObject, Uint8Array]
    if (scheduler === undefined) return realVerify(algorithm, data, key, signature)
    const known = verdicts.get(key) ?? new Map<string, boolean>()
    verdicts.set(key, known)
    const name = Buffer.from(signature).toString('latin1') + Buffer.from(data).toString('latin1')
    const verdict = known.get(name) ?? realVerify(algorithm, data, key, signature)
    known.set(name, verdict)
    return verdict
  },
})
syncBuiltinESMExports()

const level = createRequire(import.meta.url)('level') as { Level: unknown }
const RealLevel = level.Level as new (location: string, options: object) => object
class EitherLevel {
  static repair = (location: string): Promise<void> =>
    isVirtual(location)
      ? VirtualLevel.repair()
      : (RealLevel as unknown as { repair: typeof EitherLevel.repair }).repair(location)

  constructor(location: string, options: object) {
    // biome-ignore lint/correctness/noConstructorReturn: which of the two it is depends on where it lies.
    return isVirtual(location) ? new VirtualLevel(location) : new RealLevel(location, options)
  }
}
level.Level = EitherLevel
