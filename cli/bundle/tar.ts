/** A file as an archive has it. */
export interface TarFile {
  /** Relative, with slashes. */
  readonly path: string
  readonly content: Uint8Array
  readonly isProgram: boolean
}

const BLOCK = 512
const NAME_BYTES = 100
const PREFIX_BYTES = 155

/**
 * The blocks of an archive (POSIX.1-2017, pax and ustar): the files in the order of their paths' bytes, of nobody, from the
 * beginning of time. Equal files are equal bytes.
 */
export function* writeTar(files: readonly TarFile[]): Generator<Uint8Array> {
  const sorted = [...files].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
  for (const { path, content, isProgram } of sorted) {
    const mode = isProgram ? 0o755 : 0o644
    const split = splitPath(path)
    if (split === undefined) yield* entry({ name: 'pax', prefix: '' }, 'x', 0o644, Buffer.from(paxRecord('path', path)))
    yield* entry(split ?? { name: 'long', prefix: '' }, '0', mode, content)
  }
  yield new Uint8Array(2 * BLOCK)
}

function* entry(
  { name, prefix }: { name: string; prefix: string },
  type: string,
  mode: number,
  content: Uint8Array,
): Generator<Uint8Array> {
  const head = Buffer.alloc(BLOCK)
  head.write(name, 0)
  head.write(octal(mode, 7), 100)
  head.write(octal(0, 7), 108)
  head.write(octal(0, 7), 116)
  head.write(octal(content.length, 11), 124)
  head.write(octal(0, 11), 136)
  head.fill(' ', 148, 156)
  head.write(type, 156)
  head.write('ustar\0', 257)
  head.write('00', 263)
  head.write(prefix, 345)
  const sum = head.reduce((total, byte) => total + byte, 0)
  head.write(`${octal(sum, 6)}\0 `, 148)
  yield head
  yield content
  const rest = content.length % BLOCK
  if (rest > 0) yield new Uint8Array(BLOCK - rest)
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0')

/** At a slash, so that both parts have room; undefined where there is no such slash. */
function splitPath(path: string): { name: string; prefix: string } | undefined {
  if (Buffer.byteLength(path) <= NAME_BYTES) return { name: path, prefix: '' }
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)]
    if (Buffer.byteLength(prefix) <= PREFIX_BYTES && Buffer.byteLength(name) <= NAME_BYTES) return { name, prefix }
  }
  return undefined
}

/** Its length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  const bytes = Buffer.byteLength(rest)
  let length = bytes + String(bytes).length
  if (String(length).length > String(bytes).length) length = bytes + String(length).length
  return `${length}${rest}`
}

/**
 * The plain files of an archive, one after the other, without reading on before one is asked for. Throws for what is no
 * archive, or ends in the middle.
 */
export function* readTar(bytes: Uint8Array): Generator<TarFile> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let longPath: string | undefined
  for (let at = 0; ; ) {
    const head = buffer.subarray(at, at + BLOCK)
    if (head.length < BLOCK) throw new Error('it ends in the middle')
    if (head.every((byte) => byte === 0)) return
    if (head.toString('latin1', 257, 262) !== 'ustar') throw new Error('it is no tar archive')
    const sizeBytes = Number.parseInt(readText(head, 124, 12), 8)
    const type = String.fromCharCode(head[156] ?? 0)
    const content = buffer.subarray(at + BLOCK, at + BLOCK + sizeBytes)
    if (!Number.isSafeInteger(sizeBytes) || content.length < sizeBytes) throw new Error('it ends in the middle')
    at += BLOCK + Math.ceil(sizeBytes / BLOCK) * BLOCK
    if (type === 'x') longPath = /(?:^|\n)\d+ path=(.*)\n/.exec(content.toString('utf8'))?.[1]
    else {
      const [prefix, name] = [readText(head, 345, PREFIX_BYTES), readText(head, 0, NAME_BYTES)]
      const path = (longPath ?? (prefix === '' ? name : `${prefix}/${name}`)).replace(/^\.\//, '')
      longPath = undefined
      const isProgram = (Number.parseInt(readText(head, 100, 8), 8) & 0o100) !== 0
      if (type === '0' || type === '\0') yield { path, content, isProgram }
    }
  }
}

function readText(head: Buffer, at: number, length: number): string {
  const field = head.toString('utf8', at, at + length)
  const end = field.indexOf('\0')
  return end === -1 ? field : field.slice(0, end)
}
