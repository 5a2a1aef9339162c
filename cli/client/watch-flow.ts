import { MakiError, type Runtime } from '../../core/index.ts'

/** Less than this in the time that a silence may last is taken for silence: who sends in drips is as wedged as who sends nothing. */
const MIN_BYTES = 1024

/** Somebody who waits for bytes to come, or to be taken. */
export interface FlowWatch extends Disposable {
  moved(bytes: number): void
}

/** Calls `onStall`, once, when hardly anything moved for `silentMs`; not any more when it is disposed of. */
export function watchFlow(runtime: Pick<Runtime, 'after'>, silentMs: number, onStall: () => void): FlowWatch {
  let seen = 0
  let cancel = runtime.after(silentMs, onStall)
  let isOver = false
  return {
    moved(bytes) {
      seen += bytes
      if (seen < MIN_BYTES || isOver) return
      seen = 0
      cancel()
      cancel = runtime.after(silentMs, onStall)
    },
    [Symbol.dispose]() {
      isOver = true
      cancel()
    },
  }
}

/** The same chunks, each told as it is taken. */
export async function* tellChunks(
  chunks: AsyncIterable<Uint8Array>,
  onChunk: (sizeBytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    onChunk(chunk.length)
    yield chunk
  }
}

/** For a node that says nothing. */
export const silentFor = (name: string, silentMs: number): MakiError =>
  new MakiError('MAKI_TIMEOUT', `${name} did not answer within ${silentMs / 1000} s`)

/** For a node that began to answer, and does not go on. */
export const stoppedIn = (name: string, silentMs: number): MakiError =>
  new MakiError('MAKI_TIMEOUT', `${name} stopped in the middle of its answer, for ${silentMs / 1000} s`)
