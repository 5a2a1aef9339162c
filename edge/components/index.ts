export { clampModule, type ModuleLimits } from './clamp-module.ts'
export {
  COMPONENT_FAULT_CODES,
  type ComponentFault,
  type ComponentFaultCode,
  type ComponentReport,
  type Inspection,
  type World,
} from './component-report.ts'
export { inspectComponent } from './inspect-component.ts'
export { type ComponentLimits, DEFAULT_LIMITS } from './limits.ts'
export { OFFERED } from './offered.ts'
export { readWit } from './read-wit.ts'
export { WORLDS } from './world.ts'
