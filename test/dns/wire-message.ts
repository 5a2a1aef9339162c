/** Messages made and read octet by octet, without any of the code that is tested. */

export interface RawQuery {
  readonly id?: number
  /** The whole second word of the header. */
  readonly flags?: number
  readonly name?: string
  readonly type?: number
  readonly class?: number
  readonly edns?: RawEdns
}

export interface RawEdns {
  readonly size?: number
  readonly version?: number
  /** The last 16 bits of what is the TTL elsewhere. */
  readonly flags?: number
  readonly options?: readonly RawOption[]
}

export type RawOption = readonly [code: number, data: Uint8Array]

/** `a.b` in labels; the empty name is the root. Spelling is kept. */
export function wireName(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.')
  const parts = labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')])
  return Buffer.concat([...parts, Buffer.from([0])])
}

export function rawHeader(id: number, flags: number, counts: readonly [number, number, number, number]): Buffer {
  const header = Buffer.alloc(12)
  for (const [index, word] of [id, flags, ...counts].entries()) header.writeUInt16BE(word, index * 2)
  return header
}

export function rawQuestion(name: Uint8Array, type = 1, klass = 1): Buffer {
  const fixed = Buffer.alloc(4)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(klass, 2)
  return Buffer.concat([name, fixed])
}

export function rawRecord(name: Uint8Array, type: number, klass: number, ttl: number, data: Uint8Array): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(klass, 2)
  fixed.writeUInt32BE(ttl, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([name, fixed, data])
}

export function rawOptions(options: readonly RawOption[]): Buffer {
  return Buffer.concat(
    options.flatMap(([code, data]) => {
      const head = Buffer.alloc(4)
      head.writeUInt16BE(code, 0)
      head.writeUInt16BE(data.length, 2)
      return [head, data]
    }),
  )
}

export function rawOpt({ size = 1232, version = 0, flags = 0, options = [] }: RawEdns): Buffer {
  return rawRecord(wireName(''), 41, size, version * 0x1_0000 + flags, rawOptions(options))
}

export function rawQuery(query: RawQuery = {}): Buffer {
  const { id = 4711, flags = 0, name = 'www.example.com', type = 1, class: klass = 1, edns } = query
  return Buffer.concat([
    rawHeader(id, flags, [1, 0, 0, edns === undefined ? 0 : 1]),
    rawQuestion(wireName(name), type, klass),
    ...(edns === undefined ? [] : [rawOpt(edns)]),
  ])
}

export interface ReadRecord {
  /** Labels in lower case, octet by octet a character, joined by dots. */
  readonly name: string
  readonly type: number
  readonly class: number
  readonly ttl: number
  readonly data: Buffer
}

export interface ReadMessage {
  readonly id: number
  readonly flags: number
  readonly opcode: number
  /** With the upper bits that an OPT record has. */
  readonly rcode: number
  readonly truncated: boolean
  /** The bytes of the only question, its name as it was spelled. */
  readonly question: Buffer | undefined
  readonly answers: readonly ReadRecord[]
  readonly authorities: readonly ReadRecord[]
  /** Without OPT. */
  readonly additionals: readonly ReadRecord[]
  readonly opt:
    | {
        readonly size: number
        readonly version: number
        readonly flags: number
        readonly options: readonly RawOption[]
      }
    | undefined
}

/** Throws Error for whatever is not exactly one well-formed message; pointers lead back to names before them. */
export function readMessage(bytes: Buffer): ReadMessage {
  const word = (at: number) => bytes.readUInt16BE(at)
  let offset = 12
  if (word(4) > 1) throw new Error(`${word(4)} questions`)
  let question: Buffer | undefined
  if (word(4) === 1) {
    const { end, pointers } = readName(bytes, offset)
    if (pointers > 0) throw new Error('the question has a pointer')
    question = bytes.subarray(offset, end + 4)
    if (question.length !== end + 4 - offset) throw new Error('the question is cut')
    offset = end + 4
  }
  const readSection = (count: number): ReadRecord[] =>
    Array.from({ length: count }, () => {
      const { name, end } = readName(bytes, offset)
      const start = end + 10
      const length = word(end + 8)
      if (word(end) === 41 && end !== offset + 1) throw new Error('an OPT whose owner is not the octet of the root')
      if (start + length > bytes.length) throw new Error('a record runs over the end')
      offset = start + length
      const data = bytes.subarray(start, offset)
      return { name, type: word(end), class: word(end + 2), ttl: bytes.readUInt32BE(end + 4), data }
    })
  const answers = readSection(word(6))
  const authorities = readSection(word(8))
  const all = readSection(word(10))
  if (offset !== bytes.length) throw new Error(`${bytes.length - offset} octets are left over`)
  if ([...answers, ...authorities].some(({ type }) => type === 41)) throw new Error('an OPT outside the last section')
  const opts = all.filter(({ type }) => type === 41)
  if (opts.length > 1) throw new Error('two OPT records')
  const [opt] = opts
  const flags = word(2)
  return {
    id: word(0),
    flags,
    opcode: (flags >> 11) & 15,
    rcode: (flags & 15) | (opt === undefined ? 0 : (opt.ttl >>> 24) << 4),
    truncated: (flags & 0x0200) !== 0,
    question,
    answers,
    authorities,
    additionals: all.filter(({ type }) => type !== 41),
    opt: opt && {
      size: opt.class,
      version: (opt.ttl >>> 16) & 255,
      flags: opt.ttl & 0xffff,
      options: readOptions(opt.data),
    },
  }
}

export function readOptions(data: Buffer): RawOption[] {
  const options: RawOption[] = []
  let offset = 0
  while (offset < data.length) {
    const end = offset + 4 + data.readUInt16BE(offset + 2)
    if (end > data.length) throw new Error('an option runs over the end')
    options.push([data.readUInt16BE(offset), data.subarray(offset + 4, end)])
    offset = end
  }
  return options
}

function readName(bytes: Buffer, start: number): { name: string; end: number; pointers: number } {
  const labels: string[] = []
  let end: number | undefined
  let offset = start
  let least = start
  let octets = 0
  let pointers = 0
  for (;;) {
    const length = bytes.readUInt8(offset)
    if (length >= 0xc0) {
      const target = bytes.readUInt16BE(offset) & 0x3fff
      if (target >= least || target < 12) throw new Error(`a pointer from ${offset} to ${target}`)
      end ??= offset + 2
      offset = target
      least = target
      pointers += 1
      continue
    }
    if (length > 63) throw new Error(`a label of type ${length >> 6}`)
    octets += 1 + length
    if (octets > 255) throw new Error('a name of more than 255 octets')
    offset += 1
    if (length === 0) return { name: labels.join('.'), end: end ?? offset, pointers }
    if (offset + length > bytes.length) throw new Error('a name runs over the end')
    labels.push(bytes.toString('latin1', offset, offset + length).toLowerCase())
    offset += length
  }
}
