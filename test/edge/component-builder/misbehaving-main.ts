/** In a builder's place: does what the component says, which is text, and nothing that a builder does. */
import { encodeHead, FrameReader } from '../../../edge/confined/index.ts'

const reader = new FrameReader(1024)
process.stdout.write(encodeHead({ confinement: 'runtime' }, 0))
process.stdin.on('end', () => process.exit(0))
const REPORT = {
  world: 'http',
  sizeBytes: 1,
  imports: [],
  otherExports: [],
  coreModules: 1,
  coreInstances: 1,
  initialMemoryBytes: 1,
  largestMemoryBytes: 1,
}

function answer(outcome: unknown, bodies: readonly string[], header: unknown = { outcome: true }): void {
  const json = Buffer.from(JSON.stringify(outcome))
  const prefix = Buffer.alloc(4)
  prefix.writeUInt32BE(json.length)
  const body = Buffer.concat([prefix, json, Buffer.from(bodies.join(''))])
  process.stdout.write(encodeHead(header, body.length))
  process.stdout.write(body)
}

function spin(): void {
  for (;;);
}

function eat(): void {
  const eaten: Buffer[] = []
  for (;;) eaten.push(Buffer.alloc(8 * 1024 * 1024, 1))
}

const ready = (files: readonly (readonly [string, number])[], bodies: readonly string[]) => () =>
  answer({ kind: 'ready', report: REPORT, files }, bodies)

const WAYS: Readonly<Record<string, () => void>> = {
  die: () => process.exit(1),
  spin,
  eat,
  'no-frame': () => void process.stdout.write('x'.repeat(100)),
  endless: () => void process.stdout.write(encodeHead({ outcome: true }, 2 ** 31)),
  'other-header': () => answer({ kind: 'unfit', fault: { code: 'x', message: '', hint: '' } }, [], {}),
  path: ready([['../../x', 1]], ['x']),
  twice: ready(
    [
      ['glue.js', 1],
      ['glue.js', 1],
    ],
    ['x', 'x'],
  ),
  'no-glue': ready([['glue.core.wasm', 1]], ['x']),
  'too-much': ready([['glue.js', 1]], ['xx']),
  'too-little': ready([['glue.js', 3]], ['xx']),
  'other-world': () => answer({ kind: 'ready', report: { ...REPORT, world: 'root' }, files: [['glue.js', 1]] }, ['x']),
}

process.stdin.on('data', (piece: Buffer) => {
  for (const { body } of reader.push(piece)) WAYS[body.toString()]?.()
})
