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
  yield TAR_END
}

/** The blocks of one file, whose path fits into 100 bytes. */
export const tarFile = (path: string, content: Uint8Array): Generator<Uint8Array> =>
  entry({ name: path, prefix: '' }, '0', 0o644, content)

/** The end of an archive. */
export const TAR_END: Uint8Array = new Uint8Array(2 * BLOCK)

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
  head.write(type, 156)
  head.write('ustar\0', 257)
  head.write('00', 263)
  head.write(prefix, 345)
  head.write(`${octal(sumOf(head), 6)}\0 `, 148)
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

/** What an archive names; `other`: a link, a device, whatever is neither file nor folder. */
export type TarEntry =
  | { readonly type: 'file'; readonly path: string; readonly content: Uint8Array; readonly isProgram: boolean }
  | { readonly type: 'folder' | 'other'; readonly path: string }

/** The plain files of an archive; see `readEntries`. */
export function* readTar(bytes: Uint8Array): Generator<TarFile> {
  for (const entry of readEntries(bytes)) {
    if (entry.type !== 'file') continue
    const { path, content, isProgram } = entry
    yield { path, content, isProgram }
  }
}

/**
 * What an archive holds (ustar, pax paths), one after the other, without reading on before one is asked for; `./` at the start of a
 * path is left out. Throws for what is no archive, has a damaged header, or ends in the middle.
 */
export function* readEntries(bytes: Uint8Array): Generator<TarEntry> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let longPath: string | undefined
  for (let at = 0; ; ) {
    const head = buffer.subarray(at, at + BLOCK)
    if (head.length < BLOCK) throw new Error('it ends in the middle')
    const header = readTarHeader(head)
    if (header === undefined) return
    const { type, sizeBytes } = header
    const content = buffer.subarray(at + BLOCK, at + BLOCK + sizeBytes)
    if (content.length < sizeBytes) throw new Error('it ends in the middle')
    at += BLOCK + Math.ceil(sizeBytes / BLOCK) * BLOCK
    if (type === 'x') {
      longPath = readPaxPath(content)
      continue
    }
    const path = (longPath ?? header.path).replace(/^\.\//, '')
    longPath = undefined
    if (type === '0' || type === '\0')
      yield { type: 'file', path, content, isProgram: (readOctal(head, 100, 8) & 0o100) !== 0 }
    else yield { type: type === '5' ? 'folder' : 'other', path }
  }
}

/** What a header says; undefined for the end of the archive. Throws for what is no header, or a damaged one. */
export function readTarHeader(
  head: Buffer,
): { readonly path: string; readonly sizeBytes: number; readonly type: string } | undefined {
  if (head.every((byte) => byte === 0)) return undefined
  if (head.toString('latin1', 257, 262) !== 'ustar') throw new Error('it is no tar archive')
  if (readOctal(head, 148, 8) !== sumOf(head)) throw new Error('it is damaged')
  const [prefix, name] = [readText(head, 345, PREFIX_BYTES), readText(head, 0, NAME_BYTES)]
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    sizeBytes: readOctal(head, 124, 12),
    type: String.fromCharCode(head[156] ?? 0),
  }
}

/** Its records, `<length> <key>=<value>\n`: the last `path` counts. */
function readPaxPath(content: Buffer): string | undefined {
  let path: string | undefined
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(' ', at)
    const lengthBytes = space === -1 ? Number.NaN : Number(content.toString('latin1', at, space))
    if (!Number.isSafeInteger(lengthBytes) || lengthBytes <= space - at || at + lengthBytes > content.length)
      throw new Error('it is damaged')
    const [key, ...value] = content.toString('utf8', space + 1, at + lengthBytes - 1).split('=')
    if (key === 'path') path = value.join('=')
    at += lengthBytes
  }
  return path
}

/** The sum of a header's bytes, in which that of the sum itself counts as blanks. */
function sumOf(head: Buffer): number {
  return head.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 32 : byte), 0)
}

function readOctal(head: Buffer, at: number, length: number): number {
  const text = readText(head, at, length).trim()
  if (!/^[0-7]+$/.test(text)) throw new Error('it is damaged')
  return Number.parseInt(text, 8)
}

function readText(head: Buffer, at: number, length: number): string {
  const field = head.toString('utf8', at, at + length)
  const end = field.indexOf('\0')
  return end === -1 ? field : field.slice(0, end)
}
