import { type Hostname, MakiError } from '../../core/index.ts'
import { abbreviate, quote } from '../rdata/index.ts'
import type { NameKey } from '../wire/index.ts'
import { readGenerate } from './generate.ts'
import { createNameReader, type NameReader } from './name-reader.ts'
import { findSetAside, type MasterRecord, readHead, readValue, type SetAside } from './read-record.ts'
import { findTtl } from './read-ttl.ts'
import type { Refusal } from './refusal.ts'
import { type Entry, scanEntries, type Token } from './scan-entries.ts'

/** Octets of a file: more than the largest zones that people keep by hand. */
export const MAX_MASTER_FILE_BYTES = 64 * 1024 * 1024
/** Records of a file, those of `$GENERATE` included. */
const MAX_MASTER_FILE_RECORDS = 1_000_000
/** Faults that are told one by one; the others are counted. */
const MAX_FAULTS = 100
/** Where neither the file nor its SOA says anything; seconds. */
const DEFAULT_TTL = 300

/** What is wrong with an entry of a file. */
export interface MasterFault {
  readonly line: number
  /** The entry as it was read, cut to some 80 characters. */
  readonly text: string
  readonly message: string
  readonly hint: string
}

/** What a master file says. */
export interface MasterFile {
  /** In the order of the file. */
  readonly records: readonly MasterRecord[]
  readonly setAside: readonly SetAside[]
  /** The first hundred. */
  readonly faults: readonly MasterFault[]
  readonly faultCount: number
}

export interface MasterFileOptions {
  /** What relative names stand below until `$ORIGIN` says otherwise. */
  readonly origin: Hostname
  /** Where names at and below `origin` belong instead, those in data too. */
  readonly moveTo?: Hostname | undefined
}

/**
 * Reads a master file (RFC 1035 section 5, RFC 2308 section 4, RFC 3597), as name servers and providers write them. Every
 * entry is read though others have faults, and what has none is canonical. Throws MAKI_TOO_LARGE beyond the bounds above,
 * MAKI_INVALID for what is no text at all.
 */
export function parseMasterFile(bytes: Uint8Array, options: MasterFileOptions): MasterFile {
  if (bytes.length > MAX_MASTER_FILE_BYTES) {
    throw new MakiError('MAKI_TOO_LARGE', `the file has ${bytes.length} bytes, ${MAX_MASTER_FILE_BYTES} are allowed`, {
      hint: 'Cut it into several, and import one after another.',
    })
  }
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff) || bytes.includes(0)) {
    throw new MakiError('MAKI_INVALID', 'that is no master file, or one in UTF-16: it has bytes of zero', {
      hint: 'Save it as plain text (UTF-8): iconv -f UTF-16 -t UTF-8',
    })
  }
  const isMarked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', isMarked ? 3 : 0)
  const reader = new Reader(options)
  for (const entry of scanEntries(text)) reader.read(entry)
  return reader
}

const EMPTY: Token = { text: '', quoted: false, foreign: false }
const LOOK = 'Correct the line, or leave it out with --skip-invalid.'

class Reader implements MasterFile {
  readonly records: MasterRecord[] = []
  readonly setAside: SetAside[] = []
  readonly faults: MasterFault[] = []
  faultCount = 0
  readonly #relocate: (name: NameKey) => NameKey
  /** Not relocated: it is what names are read below, and those are. */
  #origin: NameKey
  #readName: NameReader
  #owner: NameKey | undefined
  /** Of `$TTL`, the last one written, and the SOA's minimum: the first that there is stands in for a TTL. */
  #ttls: { directive?: number; last?: number; soa?: number } = {}
  #count = 0
  /** Characters that `$GENERATE` stood for so far. */
  #generated = 0

  constructor({ origin, moveTo }: MasterFileOptions) {
    this.#relocate = (name) => {
      if (moveTo === undefined) return name
      if (name === origin) return moveTo
      return name.endsWith(`.${origin}`) ? `${name.slice(0, -origin.length)}${moveTo}` : name
    }
    this.#origin = origin
    this.#readName = createNameReader(origin, this.#relocate)
  }

  read(entry: Entry): void {
    const { tokens } = entry
    const refusal =
      entry.fault !== undefined
        ? { fault: entry.fault }
        : tokens[0]?.text.startsWith('$') && !tokens[0].quoted && !entry.indented
          ? this.#readDirective(entry.line, tokens)
          : this.#readOwned(entry)
    if (refusal === undefined) return
    this.#addFault(entry.line, tokens, refusal)
  }

  #addFault(line: number, tokens: readonly Token[], { fault, hint = LOOK }: Refusal): void {
    this.faultCount += 1
    if (this.faults.length >= MAX_FAULTS) return
    const words: string[] = []
    for (const { text, quoted } of tokens.slice(0, 40)) words.push(quoted ? `"${text}"` : text)
    this.faults.push({ line, text: abbreviate(words.join(' ')), message: fault, hint })
  }

  #readDirective(line: number, tokens: readonly Token[]): Refusal | undefined {
    const directive = (tokens[0]?.text ?? '').toUpperCase()
    const words = tokens.slice(1)
    const word = words[0]?.text ?? ''
    switch (directive) {
      case '$ORIGIN': {
        const read = createNameReader(this.#origin, (name) => name)(words[0] ?? EMPTY)
        if ('fault' in read) return read
        this.#origin = read.name
        this.#readName = createNameReader(read.name, this.#relocate)
        return undefined
      }
      case '$TTL': {
        const ttl = findTtl(word)
        if (ttl === undefined)
          return {
            fault: `${quote(word)} is no TTL`,
            hint: 'Write seconds, or a time like 1h30m.',
          }
        this.#ttls.directive = ttl
        return undefined
      }
      case '$INCLUDE':
        return {
          fault: 'other files are not read from here',
          hint: 'Put its lines in the place of this one. BIND does it: named-compilezone -o whole.zone DOMAIN FILE',
        }
      case '$GENERATE': {
        // A line of it can stand for a thousand times its length, and a file can have a thousand such lines.
        const generated = readGenerate(words, MAX_MASTER_FILE_BYTES - this.#generated)
        if ('fault' in generated) return generated
        this.#generated += generated.characters
        for (const entry of generated.entries) {
          const refusal = this.#readRecord(line, entry[0] as Token, entry.slice(1))
          if (refusal !== undefined) return refusal
        }
        return undefined
      }
      default:
        return {
          fault: `there is no directive ${abbreviate(directive)}`,
          hint: 'These are: $ORIGIN, $TTL and $GENERATE.',
        }
    }
  }

  #readOwned({ line, indented, ours, tokens }: Entry): Refusal | undefined {
    if (!indented) return this.#readRecord(line, tokens[0] as Token, tokens.slice(1), ours)
    if (this.#owner === undefined)
      return { fault: 'it begins with a blank, so it has the owner of the record before: there is none' }
    return this.#readData(line, this.#owner, tokens, ours)
  }

  #readRecord(line: number, owner: Token, words: readonly Token[], ours = false): Refusal | undefined {
    const read = this.#readName(owner)
    if ('fault' in read) return read
    this.#owner = read.name
    return this.#readData(line, read.name, words, ours)
  }

  #readData(line: number, name: NameKey, words: readonly Token[], ours: boolean): Refusal | undefined {
    this.#count += 1
    if (this.#count > MAX_MASTER_FILE_RECORDS) {
      throw new MakiError('MAKI_TOO_LARGE', `line ${line}: the file has more than ${MAX_MASTER_FILE_RECORDS} records`, {
        hint: 'Cut it into several, and import one after another.',
      })
    }
    const head = readHead(words)
    if ('fault' in head) return head
    const data = words.slice(head.words)
    if (head.ttl !== undefined) this.#ttls.last = head.ttl
    const why = findSetAside(head.type)
    if (why !== undefined) {
      if (why === 'soa') this.#ttls.soa ??= findTtl(data[6]?.text ?? '') ?? DEFAULT_TTL
      this.setAside.push({ line, name, type: head.type, why })
      return undefined
    }
    const { directive, last, soa } = this.#ttls
    const ttl = head.ttl ?? directive ?? last ?? soa ?? DEFAULT_TTL
    if (ours && (head.type === 'A' || head.type === 'AAAA') && data[0]?.text === 'geo' && data.length === 1) {
      this.records.push({ line, name, type: head.type, ttl, value: undefined, geo: true })
      return undefined
    }
    const read = readValue(head.type, data, this.#readName)
    if ('fault' in read) return read
    this.records.push({ line, name, type: read.type, ttl, value: read.value, geo: false })
    return undefined
  }
}
