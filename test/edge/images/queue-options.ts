import type { QueueOptions } from '../../../edge/images/decoder-queue.ts'

const MIB = 1024 * 1024

/** A queue with one decoder and room for whatever a test asks of it. */
export const QUEUE: QueueOptions = {
  limits: { maxPixels: 100_000_000, maxFrames: 1000 },
  maxInputBytes: 64 * MIB,
  maxOutputBytes: 32 * MIB,
  timeoutMs: 20_000,
  maxMemoryBytes: 640 * MIB,
  decoders: 1,
  maxWaiting: 64,
  imagesPerDecoder: 500,
  idleMs: 60_000,
}
