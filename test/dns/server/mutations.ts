import type { Random } from '../../support/seeds.ts'
import { type RawOption, rawHeader, rawOpt, rawOptions, rawQuestion, rawRecord, wireName } from '../wire-message.ts'

/** Messages that no client should send, and the ordinary ones that they grow from. */

const NAMES = [
  '',
  'com',
  'example.com',
  'EXAMPLE.com',
  'www.example.com',
  'WwW.eXaMpLe.CoM',
  'alias.example.com',
  'big.example.com',
  'mail.example.com',
  'wide.example.com',
  'wide.example.com',
  'ns.example.com',
  'tokyo.ns.example.com',
  'no.such.example.com',
  'some.wild.example.com',
  'more.some.wild.example.com',
  'cut.example.com',
  'host.cut.example.com',
  'ns.cut.example.com',
  'far.example.com',
  'near.example.com',
  'nodes.example.com',
  'down.below.example.com',
  'loop.example.com',
  'example.net',
  'version.bind',
  'id.server',
]
const TYPES = [
  0, 1, 2, 5, 6, 12, 15, 16, 28, 33, 41, 43, 64, 65, 99, 128, 249, 250, 251, 252, 253, 254, 255, 256, 257, 65_280,
  65_535,
]
const CLASSES = [0, 1, 1, 1, 1, 1, 1, 1, 3, 4, 254, 255, 65_535]
const SIZES = [0, 1, 100, 511, 512, 513, 700, 1231, 1232, 1233, 4096, 65_535]

/** One message for a server of `example.com`. */
export function randomMessage(random: Random): Buffer {
  const message = random.chance(0.05)
    ? Buffer.from(random.bytes(random.integer(random.chance(0.1) ? 2000 : 80)))
    : build(random)
  if (random.chance(0.5)) return message
  return random.pick(MUTATIONS)(message, random)
}

function build(random: Random): Buffer {
  const plain = random.chance(0.75)
  const flags = plain
    ? random.integer(2) * 0x0100
    : random.pick([random.integer(0x1_0000), random.integer(16) << 11, 0x8000])
  const questions = plain || random.chance(0.7) ? 1 : random.integer(4)
  const sections: [Buffer[], Buffer[], Buffer[]] = [[], [], []]
  if (random.chance(0.7)) sections[2].push(randomOpt(random))
  if (!plain && random.chance(0.3)) sections[2].push(randomOpt(random))
  if (!plain) {
    for (let i = random.integer(3); i > 0; i--) sections[random.integer(3)]?.push(randomRecord(random))
  }
  const [answers, authorities, additionals] = sections.map((section) => random.shuffle(section)) as typeof sections
  const tell = (count: number) => (plain || random.chance(0.9) ? count : random.pick([0, count + 1, 65_535]))
  return Buffer.concat([
    rawHeader(random.integer(65_536), flags, [
      tell(questions),
      tell(answers.length),
      tell(authorities.length),
      tell(additionals.length),
    ]),
    ...Array.from({ length: questions }, () =>
      rawQuestion(randomName(random, plain), random.pick(TYPES), plain ? 1 : random.pick(CLASSES)),
    ),
    ...answers,
    ...authorities,
    ...additionals,
  ])
}

function randomName(random: Random, plain: boolean): Buffer {
  if (plain || random.chance(0.5)) return wireName(random.pick(NAMES))
  switch (random.integer(8)) {
    case 0:
      return wireName(`${'x'.repeat(63)}.example.com`)
    case 1:
      return Buffer.concat([Buffer.from([64]), Buffer.alloc(64, 'x'), wireName('example.com')])
    case 2:
      // As long as names may be, and longer.
      return wireName(`${`${'y'.repeat(61)}.`.repeat(3)}${'z'.repeat(random.pick([55, 56, 57, 61, 62]))}.com`)
    case 3:
      return Buffer.concat([
        ...Array.from({ length: random.pick([126, 127, 128, 200]) }, () => Buffer.from([1, 97])),
        Buffer.from([0]),
      ])
    case 4:
      // To itself, to the header, forward, and beyond the end.
      return Buffer.from([0xc0 | random.pick([0, 1, 63]), random.pick([0, 4, 11, 12, 13, 14, 40, 255])])
    case 5:
      return Buffer.concat([wireName('www').subarray(0, 4), Buffer.from([0xc0, random.pick([12, 16, 60])])])
    case 6:
      return Buffer.from([random.pick([0x40, 0x80, 0xbf]), 1, 97, 0])
    default:
      return wireName(
        Array.from({ length: 1 + random.integer(4) }, () =>
          String.fromCharCode(...random.bytes(1 + random.integer(20))),
        )
          .join('.')
          .replace(/\.{2,}|^\.|\.$/g, 'q'),
      )
  }
}

function randomRecord(random: Random): Buffer {
  const type = random.pick(TYPES)
  return rawRecord(
    randomName(random, random.chance(0.3)),
    type,
    random.pick(CLASSES),
    random.integer(2 ** 31),
    random.bytes(random.integer(40)),
  )
}

function randomOpt(random: Random): Buffer {
  const plain = random.chance(0.6)
  const options = Array.from({ length: random.integer(plain ? 3 : 6) }, () => randomOption(random, plain))
  const size = random.pick(SIZES)
  const version = plain ? 0 : random.pick([0, 0, 1, 255])
  const flags = random.chance(0.7) ? random.integer(2) * 0x8000 : random.integer(0x1_0000)
  if (plain || random.chance(0.8)) return rawOpt({ size, version, flags, options })
  return rawRecord(randomName(random, false), 41, size, version * 0x1_0000 + flags, rawOptions(options))
}

function randomOption(random: Random, plain: boolean): RawOption {
  const address = random.bytes(16)
  switch (random.integer(5)) {
    case 0:
      return [3, plain ? new Uint8Array() : random.bytes(random.integer(10))]
    case 1: {
      const family = random.pick(plain ? [1, 2] : [0, 1, 2, 3, 65_535])
      const bits = random.integer(plain ? (family === 1 ? 33 : 129) : 256)
      const octets = Math.min(16, Math.ceil(bits / 8))
      const kept = Uint8Array.from(address.subarray(0, plain ? octets : random.integer(17)))
      const last = kept.length - 1
      if (plain && last >= 0) kept[last] = (kept[last] as number) & (0xff << (octets * 8 - bits))
      const scope = plain ? 0 : random.pick([0, 0, 24])
      return [8, Uint8Array.from([family >> 8, family & 255, bits, scope, ...kept])]
    }
    case 2:
      return [10, random.bytes(plain ? random.pick([8, 16, 24, 40]) : random.integer(60))]
    case 3:
      return [random.pick([9, 11, 12, 15, 65_001]), random.bytes(random.integer(30))]
    default:
      return [random.integer(65_536), random.bytes(random.integer(plain ? 4 : 400))]
  }
}

type Mutation = (message: Buffer, random: Random) => Buffer

const MUTATIONS: readonly Mutation[] = [
  function flipBits(message, random) {
    const changed = Buffer.from(message)
    for (let i = 1 + random.integer(8); i > 0 && changed.length > 0; i--) {
      const at = random.integer(changed.length)
      changed[at] = (changed[at] as number) ^ (1 << random.integer(8))
    }
    return changed
  },
  function setOctets(message, random) {
    const changed = Buffer.from(message)
    for (let i = 1 + random.integer(4); i > 0 && changed.length > 0; i--)
      changed[random.integer(changed.length)] = random.integer(256)
    return changed
  },
  function truncate(message, random) {
    return message.subarray(0, random.integer(message.length + 1))
  },
  function append(message, random) {
    return Buffer.concat([message, random.bytes(1 + random.integer(40))])
  },
  function lieAboutLength(message, random) {
    const changed = Buffer.from(message)
    if (changed.length < 2) return changed
    const at = random.integer(changed.length - 1)
    const word = changed.readUInt16BE(at)
    changed.writeUInt16BE(random.pick([0, 1, (word + 1) & 0xffff, (word + 0xffff) & 0xffff, 0x7fff, 0xffff]), at)
    return changed
  },
  function splice(message, random) {
    const other = build(random)
    return Buffer.concat([
      message.subarray(0, random.integer(message.length + 1)),
      other.subarray(random.integer(other.length)),
    ])
  },
  function repeat(message, random) {
    const start = random.integer(message.length + 1)
    const piece = message.subarray(start, start + random.integer(message.length))
    return Buffer.concat([message, ...Array<Buffer>(1 + random.integer(20)).fill(piece)])
  },
  function point(message, random) {
    const changed = Buffer.from(message)
    if (changed.length > 14)
      changed.writeUInt16BE(0xc000 | random.integer(changed.length + 2), 12 + random.integer(changed.length - 13))
    return changed
  },
]
