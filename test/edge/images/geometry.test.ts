import t from 'tap'
import { type Geometry, planGeometry, type Size } from '../../../edge/images/geometry.ts'
import type { Fit } from '../../../edge/images/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** Sizes of results, as laws. */

const FITS: readonly Fit[] = ['max', 'pad', 'crop', 'stretch']

for (const seed of seeds(10)) {
  t.test(`sizes hold for any image and any box, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const side = () => 1 + random.integer(random.pick([3, 100, 5000]))
    const faults: string[] = []
    for (let i = 0; i < 2000; i++) {
      const source = { width: side(), height: side() }
      const box = { width: side(), height: side() }
      for (const fit of FITS) {
        const fault = findFault(source, box, fit, planGeometry(source, { ...box, fit }))
        if (fault !== undefined) faults.push(`${fault}: ${JSON.stringify({ source, box, fit })}`)
      }
    }
    t.strictSame(faults.slice(0, 5), [])
  })
}

function findFault(source: Size, box: Size, fit: Fit, { scaled, margin, result, cut }: Geometry): string | undefined {
  if ([scaled, result].some(({ width, height }) => width < 1 || height < 1)) return 'a side is gone'
  if (![...Object.values(scaled), ...Object.values(margin)].every(Number.isSafeInteger)) return 'no whole pixels'
  if (result.width > box.width || result.height > box.height) return 'larger than asked for'
  if (fit !== 'stretch' && (scaled.width > source.width || scaled.height > source.height)) return 'enlarged'
  if (Object.values(margin).some((pixels) => pixels < 0)) return 'a margin is negative'
  if (scaled.width + margin.left + margin.right !== result.width) return 'the width does not add up'
  if (scaled.height + margin.top + margin.bottom !== result.height) return 'the height does not add up'
  const filled = result.width === box.width && result.height === box.height
  switch (fit) {
    case 'max':
    case 'pad': {
      if (fit === 'pad' && !filled) return 'the box is not filled'
      // Within the half pixel that rounding costs on each side.
      const drift = Math.abs(scaled.width * source.height - scaled.height * source.width)
      const grain = (source.width + source.height) / 2
      if (drift > grain + 1 && scaled.width > 1 && scaled.height > 1) return 'another ratio'
      const touches = scaled.width === box.width || scaled.height === box.height
      const whole = scaled.width === source.width && scaled.height === source.height
      return touches || whole ? undefined : 'smaller than it could be'
    }
    case 'crop': {
      if (!cut) return 'nothing is cut'
      if (source.width >= box.width && source.height >= box.height && !filled) return 'the box is not filled'
      const drift = Math.abs(scaled.width * box.height - scaled.height * box.width)
      return drift > (box.width + box.height) / 2 + 1 && scaled.width > 1 && scaled.height > 1
        ? 'another ratio'
        : undefined
    }
    case 'stretch':
      return filled ? undefined : 'the box is not filled'
    default:
      return fit satisfies never
  }
}
