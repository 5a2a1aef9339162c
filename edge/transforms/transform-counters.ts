import type { StepCount } from './run-steps.ts'

/** What became of files and of the steps that they went through, since the start. */
export interface TransformCounters {
  /** Runs of components, by how they ended. */
  readonly steps: Record<StepCount['outcome'], number>
  /** Of processors, and of clocks; the second with all that was waited for. */
  cpuSeconds: number
  seconds: number
  /** Of results that were made. */
  bytes: number
  fromMemory: number
  fromDisk: number
  /** Files that were served as they are because too many were to be transformed. */
  turnedAway: number
  waitedTooLong: number
  /** Results for which there was no room. */
  notKept: number
  /** Results that were gone or damaged when they were to be sent. */
  lost: number
}

/** All of them at zero. */
export function newTransformCounters(): TransformCounters {
  return {
    steps: {
      changed: 0,
      unchanged: 0,
      trap: 0,
      timeout: 0,
      memory: 0,
      'too-large': 0,
      busy: 0,
      unfit: 0,
      died: 0,
      closed: 0,
      nonsense: 0,
    },
    cpuSeconds: 0,
    seconds: 0,
    bytes: 0,
    fromMemory: 0,
    fromDisk: 0,
    turnedAway: 0,
    waitedTooLong: 0,
    notKept: 0,
    lost: 0,
  }
}
