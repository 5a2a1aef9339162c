import { fileURLToPath } from 'node:url'
import { componentize } from 'componentize-qjs'
import t from 'tap'
import { clampModule, inspectComponent } from '../../../edge/components/index.ts'
import { buildWatGuest } from '../../support/guests/build-wat.ts'
import { buildNamedComponent } from '../../support/guests/named-component.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { findLoose, generateGlue } from './glue.ts'

const small = await Promise.all([buildWatGuest('http-echo'), buildWatGuest('transform-append'), buildNamedComponent()])

/** A whole engine of JavaScript, in eight modules: what people will bring. */
const { component: engine } = await componentize({
  witPath: fileURLToPath(new URL('../../../edge/components/wit/http.wit', import.meta.url)),
  jsSource: 'export const handler = { handleRequest: () => ({ status: 200, headers: [], body: undefined }) }',
  sync: true,
})

/** In all text that is written over names, and would be part of a program. */
const MARKER = 'zq9'

/** Never throws: what throws here fails the test. */
function isFit(bytes: Uint8Array): boolean {
  const inspection = inspectComponent(bytes)
  if (inspection.kind === 'unfit') {
    const { code, message, hint } = inspection.fault
    if (code === undefined || message.length > 700 || hint.length > 700 || /[^\x20-\x7e…]/.test(message))
      throw new Error(`a fault that cannot be shown: ${encodeURI(message)}`)
  }
  return inspection.kind === 'fit'
}

t.test('a component that ends at any byte is unfit, but for between sections when it has all', async (t) => {
  for (const component of small) {
    const ends = findSectionEnds(component)
    const fit: number[] = []
    for (let end = 0; end < component.length; end += 1) if (isFit(component.subarray(0, end))) fit.push(end)
    t.strictSame(
      fit.filter((end) => !ends.has(end)),
      [],
    )
    t.ok(fit.every((end) => end > component.length / 2))
    t.ok(isFit(component))
  }
})

/** Where the sections of a whole component end. */
function findSectionEnds(component: Uint8Array): Set<number> {
  const ends = new Set<number>()
  for (let at = 8; at < component.length; ends.add(at)) {
    let length = 0
    let shift = 0
    do {
      at += 1
      length += ((component[at] as number) & 0x7f) * 2 ** shift
      shift += 7
    } while ((component[at] as number) >= 0x80)
    at += 1 + length
  }
  return ends
}

for (const seed of seeds(400)) {
  t.test(
    `a damaged component is judged; what is fit becomes a program without strange text, or none (seed ${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const component = damage(random, Uint8Array.from(random.pick(small)))
      if (!isFit(component) || seed % 4 !== 0) {
        t.pass()
        return
      }
      let glue: string
      try {
        glue = generateGlue(component)
      } catch (error) {
        // What is not valid is for jco to find: it says so, and does not crash.
        t.match(String(error), /\S/)
        t.notOk(error instanceof WebAssembly.RuntimeError, 'jco found it, and did not trap')
        return
      }
      t.strictSame(findLoose(glue, MARKER), [])
    },
  )
}

t.test('a component with an engine in it is fit', async (t) => {
  t.match(inspectComponent(engine), {
    kind: /^fit$/,
    report: { world: 'http', otherExports: ['init'], coreModules: 8 },
  })
  t.strictSame(findLoose(generateGlue(engine), MARKER), [])
})

for (const seed of seeds(80)) {
  t.test(`a damaged component with an engine in it is judged (seed ${seed})`, async (t) => {
    isFit(damage(createRandom(seed), engine))
    t.pass()
  })
}

/** Flips bits, overwrites with text that would be a program, repeats or removes a piece, or swaps two. */
function damage(random: Random, plain: Uint8Array): Uint8Array {
  const bytes = Buffer.from(plain)
  const at = 8 + random.integer(bytes.length - 16)
  const length = 1 + random.integer(40)
  const piece = Buffer.from(bytes.subarray(at, at + length))
  switch (random.integer(5)) {
    case 0:
      for (let left = 1 + random.integer(4); left > 0; left -= 1) {
        const where = 8 + random.integer(bytes.length - 8)
        bytes[where] = (bytes[where] as number) ^ (1 << random.integer(8))
      }
      return bytes
    case 1:
      bytes.write(random.pick([`'];${MARKER}//`, `\`\${${MARKER}}`, `*/${MARKER}`, `":${MARKER},"`]), at)
      return bytes
    case 2:
      return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)])
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    default:
      bytes.copyWithin(at, 8 + random.integer(bytes.length - 8))
      return bytes
  }
}

t.test('bytes that are nothing', async (t) => {
  const random = createRandom(seeds(1)[0] as number)
  const head = Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0])
  for (let i = 0; i < 2_000; i += 1) {
    const bytes = random.bytes(random.integer(60))
    // Most of the numbers of sections that there are.
    if (bytes.length > 0) bytes[0] = random.integer(13)
    isFit(Buffer.concat([head, bytes]))
  }
  t.pass()
})

const leb = (value: number): Buffer => {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest >= 128 ? (rest % 128) | 0x80 : rest)
    if (rest < 128) return Buffer.from(bytes)
  }
}
const section = (id: number, ...pieces: Buffer[]) => {
  const body = Buffer.concat(pieces)
  return Buffer.concat([Buffer.of(id), leb(body.length), body])
}
const component = (...sections: Buffer[]) =>
  Buffer.concat([Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]), ...sections])
const coreModule = (...sections: Buffer[]) =>
  Buffer.concat([Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]), ...sections])
const repeat = (count: number, piece: (i: number) => Buffer) =>
  Buffer.concat([leb(count), ...Array.from({ length: count }, (_, i) => piece(i))])
const name = (text: string) => Buffer.concat([leb(text.length), Buffer.from(text)])

// Each would be minutes or gigabytes for a reader that does more than look at each byte once.
const MANY = 190_000
const LARGE: Readonly<Record<string, () => Buffer>> = {
  'ten million empty sections': () => component(Buffer.alloc(3 * 10_000_000, Buffer.of(0, 1, 0))),
  'nothing but zeros': () => component(Buffer.alloc(31 * 1024 * 1024)),
  'nothing but 0xff': () => component(Buffer.alloc(31 * 1024 * 1024, 0xff)),
  'many types': () =>
    component(
      section(
        7,
        repeat(MANY, () => Buffer.of(0x7f)),
      ),
    ),
  'a record of many fields': () =>
    component(
      section(
        7,
        leb(1),
        Buffer.of(0x72),
        repeat(MANY, (i) => Buffer.concat([name(`f${i}`), Buffer.of(0x7f)])),
      ),
    ),
  'many imports': () =>
    component(
      section(7, Buffer.of(1, 0x42, 0)),
      section(
        10,
        repeat(MANY / 2, (i) => Buffer.concat([Buffer.of(0), name(`a:b/c${i}`), Buffer.of(5, 0)])),
      ),
    ),
  'many exports of a module': () =>
    component(
      section(
        1,
        coreModule(
          section(
            7,
            repeat(MANY, (i) => Buffer.concat([name(`f${i}`), Buffer.of(0, 0)])),
          ),
        ),
      ),
    ),
  'many tables': () =>
    component(
      section(
        1,
        coreModule(
          section(
            4,
            repeat(MANY, () => Buffer.of(0x70, 0, 1)),
          ),
        ),
      ),
    ),
  'many memories': () =>
    component(
      section(
        1,
        coreModule(
          section(
            5,
            repeat(MANY, () => Buffer.of(0, 1)),
          ),
        ),
      ),
    ),
  'many names as long as can be': () =>
    component(
      section(
        1,
        coreModule(
          section(
            7,
            repeat(15_000, () => Buffer.concat([name('x'.repeat(2048)), Buffer.of(0, 0)])),
          ),
        ),
      ),
    ),
  'components in components': () => {
    let inner = component()
    for (let depth = 0; depth < 2_000; depth += 1) inner = component(section(4, inner))
    return inner
  },
  'types in types': () => {
    let inner = Buffer.of(0x42, 0)
    for (let depth = 0; depth < 2_000; depth += 1) inner = Buffer.concat([Buffer.of(0x42, 1, 1), inner])
    return component(section(7, leb(1), inner))
  },
  'a list that says to have four billion items': () => component(section(7, Buffer.of(0xff, 0xff, 0xff, 0xff, 0x0f))),
}

for (const [title, build] of Object.entries(LARGE)) {
  t.test(`large and hostile: ${title}`, async (t) => {
    const bytes = build()
    t.notOk(isFit(bytes))
    t.throws(() => clampModule(bytes, { maxMemoryPages: 10, maxTableElements: 10 }), { code: 'MAKI_INVALID' })
  })
}

t.test(
  'a module of many tables, and one of many sections, is clamped or refused, without end of the stack',
  async (t) => {
    const limits = { maxMemoryPages: 10, maxTableElements: 10 }
    const tables = coreModule(
      section(
        4,
        repeat(MANY, () => Buffer.of(0x70, 0, 1)),
      ),
    )
    t.ok(clampModule(tables, limits).length > tables.length)
    const sections = coreModule(Buffer.alloc(3_000_000, Buffer.of(0, 1, 0)))
    t.throws(() => clampModule(sections, limits), { code: 'MAKI_INVALID' })
  },
)
