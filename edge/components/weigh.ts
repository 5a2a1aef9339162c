import type { Weight } from './component-scope.ts'
import type { CoreModule } from './core-module.ts'
import { MOST } from './limits.ts'
import { Unfit } from './unfit.ts'

/** Adds one more instance of a core module. */
export function addModule(weight: Weight, { memoryPages, tableElements }: CoreModule): void {
  weight.coreInstances += 1
  weight.memories += memoryPages.length
  weight.tables += tableElements.length
  for (const pages of memoryPages) {
    weight.memoryPages += pages
    weight.largestMemoryPages = Math.max(weight.largestMemoryPages, pages)
  }
  for (const elements of tableElements) weight.tableElements += elements
  checkWeight(weight)
}

/**
 * Adds one more instance of a component. Components that instantiate each other twice, and so on, are millions of instances
 * in a few bytes: they are added up here and never made.
 */
export function addWeight(weight: Weight, more: Readonly<Weight>): void {
  weight.coreInstances += more.coreInstances
  weight.memories += more.memories
  weight.memoryPages += more.memoryPages
  weight.largestMemoryPages = Math.max(weight.largestMemoryPages, more.largestMemoryPages)
  weight.tables += more.tables
  weight.tableElements += more.tableElements
  weight.work += more.work
  checkWeight(weight)
}

/** Unfit where instances are too many, or too large at the start. Memory is left to the limit that the node has for it. */
export function checkWeight(weight: Readonly<Weight>): void {
  if (weight.coreInstances > MOST.coreInstances)
    throw new Unfit('too-large', `The component has more than ${MOST.coreInstances} instances of core modules in it.`)
  if (weight.memories > MOST.memories)
    throw new Unfit('too-much-memory', `The component has more than ${MOST.memories} memories.`)
  if (weight.tables > MOST.tables || weight.tableElements > MOST.tableElements)
    throw new Unfit(
      'too-much-memory',
      `The component has tables of more than ${MOST.tableElements} elements, or more than ${MOST.tables} tables.`,
      'Build it with fewer functions whose addresses are taken.',
    )
  if (weight.work > MOST.work)
    throw new Unfit(
      'too-large',
      `The component has more than ${MOST.work} definitions and parts of types of functions, each counted as often as it is instantiated.`,
    )
}
