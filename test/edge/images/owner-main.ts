/** Owns a decoder that is busy, and says its process id. */
import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { DecoderQueue } from '../../../edge/images/decoder-queue.ts'
import { makePhoto } from './image-files.ts'
import { QUEUE } from './queue-options.ts'

const photo = await makePhoto(1600, 1200)
const queue = new DecoderQueue(QUEUE, { runtime: systemRuntime, log: silentLog })
await queue.decode(async () => photo, { width: 8, height: 8, fit: 'max', format: 'png', quality: undefined })
void queue.decode(async () => photo, { width: 1600, height: 1200, fit: 'max', format: 'avif', quality: 90 })
process.stdout.write(`${queue.pids[0]}\n`)
