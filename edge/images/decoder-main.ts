/**
 * The process that decodes strangers' images: reads jobs from standard input and writes results to standard output (see
 * `confined/frames.ts`), one at a time. It has no environment and no keys, and gives up files, sockets and programs before the first
 * byte of an image; it ends when its owner does.
 */
import { confine, encodeHead, type Frame, FrameReader } from '../confined/index.ts'
import { type DecodeLimits, prepareDecoder, RefusedImage, transformImage } from './decode.ts'
import type { ImageShape } from './image-job.ts'
import { warmUp } from './warm-up.ts'

/** `kernel`: no io_uring here, so that a filter of system calls holds. */
const [, , maxInputBytes = '0', dataBytes = '0', possible = 'runtime'] = process.argv

let working: Promise<void> = Promise.resolve()
const reader = new FrameReader(Number(maxInputBytes))

process.stdout.on('error', () => process.exit(1))
process.stdin.on('end', () => process.exit(0))
prepareDecoder()
await warmUp()
const confinement = possible === 'kernel' ? await confine(Number(dataBytes)) : 'runtime'
process.stdout.write(encodeHead({ confinement }, 0))
process.stdin.on('data', (piece: Buffer) => {
  for (const frame of reader.push(piece)) working = working.then(() => work(frame))
})

async function work({ header, body }: Frame): Promise<void> {
  const { shape, limits } = header as { shape: ImageShape; limits: DecodeLimits }
  try {
    const result = await transformImage(body, shape, limits)
    process.stdout.write(encodeHead({ done: true }, result.length))
    process.stdout.write(result)
  } catch (error) {
    // What is no fault of the image ends the process, and its owner takes a new one.
    if (!(error instanceof RefusedImage)) throw error
    process.stdout.write(encodeHead({ fault: error.fault }, 0))
  }
}
