export { type DevOptions, type Publish, runDev } from './dev.ts'
export type { DevEvent, RunningNode } from './events.ts'
export { formatEvent } from './format-event.ts'
export { type ClusterShape, MAX_NODES } from './layout.ts'
