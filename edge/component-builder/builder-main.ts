/**
 * The process that makes one stranger's component ready: reads it from standard input, writes what became of it to standard
 * output (see `confined/frames.ts`), and ends. One component each, so that none ever meets the code that is made of another. It has
 * no environment and no keys, and gives up files, sockets and programs before the first byte of a component.
 */
import { inspectComponent } from '../components/index.ts'
import { confine, encodeHead, type Frame, FrameReader } from '../confined/index.ts'
import { buildComponent } from './build-component.ts'
import { encodeOutcome } from './build-outcome.ts'
import { loadGenerator } from './generator.ts'
import { listImports } from './list-imports.ts'

/** `kernel`: no io_uring here, so that a filter of system calls holds. */
const [, , maxComponentBytes = '0', maxOutputBytes = '0', dataBytes = '0', possible = 'runtime'] = process.argv

const reader = new FrameReader(Number(maxComponentBytes))
process.stdout.on('error', () => process.exit(1))
process.stdin.on('end', () => process.exit(0))
const generate = await loadGenerator()
const confinement = possible === 'kernel' ? await confine(Number(dataBytes)) : 'runtime'
process.stdout.write(encodeHead({ confinement }, 0))
process.stdin.on('data', (piece: Buffer) => {
  for (const frame of reader.push(piece)) work(frame)
})

function work({ body }: Frame): void {
  // What throws here ends the process: its owner says so of the component.
  const outcome = buildComponent(body, {
    inspect: inspectComponent,
    generate,
    listImports,
    maxOutputBytes: Number(maxOutputBytes),
  })
  const bytes = encodeOutcome(outcome)
  process.stdout.write(encodeHead({ outcome: true }, bytes.length))
  process.stdout.write(bytes)
}
