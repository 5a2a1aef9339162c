export { startControlServer } from './control.ts'
export * from './control-api.ts'
export type { ControlLogs, KeptLine, LogFilter, LogQuery, LogReport } from './control-logs.ts'
export type { MeshPeerReport, MeshReport, NodeMeshStatus } from './control-mesh.ts'
export type { ControlServer, ControlServerOptions } from './control-options.ts'
export {
  type ControlSeals,
  type EpochReport,
  isSignedSameRequest,
  parseSameRequest,
  SAME_LIMITS,
  type SameItem,
  type SameReport,
  type SameRequest,
  signSameRequest,
} from './control-seals.ts'
export {
  decodeOperationsPage,
  encodeOperationBatch,
  encodeOperationsPage,
  parseOperationBatch,
} from './operation-batch.ts'
