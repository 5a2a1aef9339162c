export { type Confinement, confine, makeBlocking } from './confine.ts'
export {
  type ConfinedOptions,
  ConfinedProcess,
  confinedArguments,
  type EndReason,
  explainNoStart,
  modulesFolder,
  readHeader,
} from './confined-process.ts'
export { encodeHead, type Frame, FrameReader } from './frames.ts'
