export type { ComponentCounts } from './component-keeper.ts'
export type { ComponentTrouble } from './list-troubles.ts'
export { isComponentQuestion, type NodeComponents, startComponents } from './start-components.ts'
