export type { ComponentFault, ComponentFaultCode, ComponentReport, Inspection, World } from './component-report.ts'
