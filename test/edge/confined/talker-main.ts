/** A confined process for tests that answers whatever it is told, and keeps eight more megabytes each time. */
import { encodeHead, FrameReader } from '../../../edge/confined/index.ts'

const kept: Buffer[] = []
const reader = new FrameReader(1024)
process.stdin.on('end', () => process.exit(0))
process.stdin.on('data', (piece: Buffer) => {
  for (const _ of reader.push(piece)) {
    kept.push(Buffer.alloc(8 * 1024 * 1024, 1))
    process.stdout.write(encodeHead({ kept: kept.length }, 0))
  }
})
