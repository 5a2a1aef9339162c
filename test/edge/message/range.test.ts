import t from 'tap'
import { findRange } from '../../../edge/message/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const CASES: readonly (readonly [header: string, sizeBytes: number, expected: ReturnType<typeof findRange>])[] = [
  ['bytes=0-0', 10, { start: 0, end: 1 }],
  ['BYTES= 0-0 ', 10, { start: 0, end: 1 }],
  ['bytes=,0-0,', 10, { start: 0, end: 1 }],
  ['bytes=-3', 10, { start: 7, end: 10 }],
  ['bytes=-30', 10, { start: 0, end: 10 }],
  ['bytes=9-', 10, { start: 9, end: 10 }],
  ['bytes=10-', 10, 'unsatisfiable'],
  ['bytes=-0', 10, 'unsatisfiable'],
  ['bytes=10-,-0', 10, 'unsatisfiable'],
  ['bytes=10-,0-1', 10, { start: 0, end: 2 }],
  ['bytes=0-', 0, undefined],
  ['bytes=5-4', 10, undefined],
  ['bytes=0-1,5-4', 10, undefined],
  ['bytes=', 10, undefined],
  ['bytes=,', 10, undefined],
  ['bytes=-', 10, undefined],
  ['bytes=+1-2', 10, undefined],
  ['bytes=1-2-3', 10, undefined],
  ['bytes=0x1-2', 10, undefined],
  ['bytes 0-1', 10, undefined],
  ['items=0-1', 10, undefined],
  [`bytes=0-${'9'.repeat(400)}`, 10, { start: 0, end: 10 }],
  ['bytes=0-9,100-109', 1000, undefined],
  ['bytes=0-9,89-99', 1000, { start: 0, end: 100 }],
  ['bytes=0-9,90-99', 1000, undefined],
  ['bytes=50-59,0-49', 1000, { start: 0, end: 60 }],
  [`bytes=${Array.from({ length: 16 }, () => '0-').join(',')}`, 1000, { start: 0, end: 1000 }],
  [`bytes=${Array.from({ length: 17 }, () => '0-').join(',')}`, 1000, undefined],
]

t.test('ranges', async (t) => {
  for (const [header, sizeBytes, expected] of CASES)
    t.strictSame(findRange(header, sizeBytes), expected, `${header.slice(0, 60)} of ${sizeBytes}`)
})

for (const seed of seeds(5)) {
  t.test(`a range holds all that was asked for and there is, and little else (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 2000; i++) {
      const sizeBytes = 1 + random.integer(400)
      const specs = Array.from({ length: 1 + random.integer(4) }, () => {
        const start = random.integer(sizeBytes + 40)
        const kind = random.integer(3)
        return kind === 0 ? `${start}-` : kind === 1 ? `-${start}` : `${start}-${start + random.integer(50)}`
      })
      const wanted = new Set<number>()
      for (const spec of specs) {
        const [first, last] = spec.split('-') as [string, string]
        for (let at = 0; at < sizeBytes; at++) {
          const inside = first === '' ? at >= sizeBytes - Number(last) : at >= Number(first)
          if (inside && (first === '' || last === '' || at <= Number(last))) wanted.add(at)
        }
      }
      const header = `bytes=${specs.join(', ')}`
      const found = findRange(header, sizeBytes)
      if (found === undefined) continue
      if (found === 'unsatisfiable') {
        if (wanted.size > 0) t.fail(`${header} of ${sizeBytes} can be had`)
        continue
      }
      const { start, end } = found
      const outside = [...wanted].some((at) => at < start || at >= end)
      const tight = wanted.has(start) && wanted.has(end - 1) && end <= sizeBytes
      let gap = 0
      let widest = 0
      for (let at = start; at < end; at++) {
        gap = wanted.has(at) ? 0 : gap + 1
        widest = Math.max(widest, gap)
      }
      if (outside || !tight || widest >= 80) t.fail(`${header} of ${sizeBytes} gave ${start} to ${end}`)
    }
    t.pass()
  })
}
