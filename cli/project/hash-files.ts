import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Runtime } from '../../core/index.ts'
import { HashAside, type ReadFault } from './hash-aside.ts'
import { type HashedFile, hashInSteps } from './hash-file.ts'
import type { FoundFile } from './walk.ts'

/** What was read of a file: its hash, that it changed meanwhile, or why it cannot be read. */
export type HashResult = HashedFile | 'changed' | ReadFault

export interface HashOptions {
  readonly runtime: Runtime
  /** Called between files and between parts of large ones, not more often than people look. */
  readonly onPause: () => void
  /** With the clock when its reading began at the earliest, nanoseconds since the Unix epoch. */
  readonly onHashed: (file: FoundFile, result: HashResult, readAtNs: bigint) => void
  /** For tests: called when a file was read and is about to be looked at again. Everything is then hashed here. */
  readonly afterRead?: ((path: string) => void) | undefined
  /** From how much work on a second thread takes part. Default 128 MiB. */
  readonly asideBytes?: number | undefined
  /** For tests: what the second thread runs. */
  readonly asideProgram?: URL | undefined
}

/** Longest stretch of work between two looks at what else there is to do. */
const SLICE_MS = 20
/** A second thread takes some 50 ms to start, in which this one hashes half of it. */
const ASIDE_BYTES = 128 * 1024 * 1024
/** Opening a file and looking at it twice takes as long as hashing so much. */
const OPENING_BYTES = 20_000

/**
 * Hashes files, much of it on two threads; `onHashed` is told of each in the order in which they are done. Ends early, with the
 * rest untold, when one has changed while it was read or is gone.
 */
export async function hashFiles(files: readonly FoundFile[], options: HashOptions): Promise<void> {
  const { runtime, onHashed, onPause, asideBytes = ASIDE_BYTES } = options
  const startedNs = clockNs(runtime)
  const todo = new Set(files.keys())
  let isOver = false
  const settle = (at: number, result: HashResult, readAtNs: bigint): void => {
    if (isOver || !todo.delete(at)) return
    onHashed(files[at] as FoundFile, result, readAtNs)
    isOver = result === 'changed' || ('code' in result && result.code === 'ENOENT')
  }
  const giveWay = createPacer(runtime, onPause)
  const hashHere = async (at: number): Promise<void> => {
    const readAtNs = clockNs(runtime)
    settle(at, await hashOne(files[at] as FoundFile, options, giveWay), readAtNs)
    await giveWay()
  }
  const work = files.reduce((sum, { sizeBytes }) => sum + sizeBytes + OPENING_BYTES, 0)
  if (options.afterRead === undefined && files.length > 1 && work >= asideBytes) {
    await using aside = new HashAside(files, (at, result) => settle(at, result, startedNs), options.asideProgram)
    for (let at = 0; !isOver && aside.take(); at++) await hashHere(at)
    if (!isOver) await aside.finished
  }
  for (const at of [...todo]) {
    if (isOver) return
    await hashHere(at)
  }
}

async function hashOne(
  file: FoundFile,
  { afterRead }: HashOptions,
  giveWay: () => Promise<void> | undefined,
): Promise<HashResult> {
  try {
    const steps = hashInSteps(file, afterRead)
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      await giveWay()
    }
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === undefined) throw thrown
    return { code }
  }
}

const clockNs = (runtime: Pick<Runtime, 'now'>): bigint => BigInt(Math.floor(runtime.now())) * 1_000_000n

/** Lets the event loop run when a slice of time is used up; costs a look at the clock otherwise. */
function createPacer(runtime: Runtime, onPause: () => void): () => Promise<void> | undefined {
  let sliceEndsMs = runtime.monotonic() + SLICE_MS
  return () => {
    if (runtime.monotonic() < sliceEndsMs) return undefined
    onPause()
    return nextTurn().then(() => {
      sliceEndsMs = runtime.monotonic() + SLICE_MS
    })
  }
}
