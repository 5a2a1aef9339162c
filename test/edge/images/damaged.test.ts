import sharp from 'sharp'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { DecoderQueue } from '../../../edge/images/decoder-queue.ts'
import type { ImageShape } from '../../../edge/images/image-job.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { makePhoto } from './image-files.ts'
import { QUEUE } from './queue-options.ts'

/** Whatever bytes a file has, something plain comes of it. `SEEDS=100` tries more. */

const PORTS = { runtime: systemRuntime, log: silentLog }
const SMALL: ImageShape = { width: 64, height: 64, fit: 'max', format: 'webp', quality: 50 }

for (const seed of seeds(2)) {
  t.test(`damaged bytes end in an image or a plain refusal, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const photo = await makePhoto(64, 48)
    const files = [
      await sharp(photo).jpeg().toBuffer(),
      await sharp(photo).png({ palette: true }).toBuffer(),
      await sharp(photo).webp().toBuffer(),
      await sharp(photo).avif().toBuffer(),
      await sharp(photo).gif().toBuffer(),
    ]
    await using queue = new DecoderQueue(QUEUE, PORTS)
    const outcomes = new Map<string, number>()
    for (let i = 0; i < 8; i++) {
      const damaged = Buffer.from(random.pick(files))
      for (let flips = 1 + random.integer(8); flips > 0; flips--)
        damaged[random.integer(damaged.length)]! ^= 1 << random.integer(8)
      const decoded = await queue.decode(async () => damaged, { ...SMALL, format: random.pick(['jpg', 'webp', 'png']) })
      outcomes.set(decoded.kind, (outcomes.get(decoded.kind) ?? 0) + 1)
      if (decoded.kind === 'ended') t.equal(decoded.why, 'died')
    }
    t.ok((outcomes.get('fault') ?? 0) > 0, 'some were refused')
    t.match(await queue.decode(async () => photo, SMALL), { kind: 'done' }, 'and all is well after them')
  })
}
