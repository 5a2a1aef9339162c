import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { asMakiError, type Hostname, MakiError } from '../../core/index.ts'
import { MAX_MASTER_FILE_BYTES, type MasterFault, type MasterFile, parseMasterFile } from '../../dns/records/index.ts'
import { plainLine } from '../output/text.ts'

/** Reads and parses a master file; `-` is standard input. Throws MAKI_USAGE for one that cannot be read. */
export async function readMasterFile(
  file: string,
  cwd: string,
  options: { readonly origin: Hostname; readonly moveTo?: Hostname | undefined },
): Promise<MasterFile> {
  // Not /dev/stdin: where another program writes to us through a socket, that cannot be opened.
  const stream = file === '-' ? process.stdin : createReadStream(resolve(cwd, file))
  const chunks: Buffer[] = []
  let sizeBytes = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length
      chunks.push(chunk)
      // The parser refuses it, and says what to do; a device never ends.
      if (sizeBytes > MAX_MASTER_FILE_BYTES) break
    }
  } catch (cause) {
    throw new MakiError('MAKI_USAGE', `${file} cannot be read: ${asMakiError(cause).message}`, {
      cause,
      hint: 'Give the path of a master file, or - for standard input.',
    })
  }
  return parseMasterFile(Buffer.concat(chunks), options)
}

/** More are told by their number: a file of something else has a fault in each line. */
const MAX_SHOWN = 20

/** Throws MAKI_INVALID that lists the faults in the order of the file, with their lines; returns when there is none. */
export function throwFaults(file: string, faults: readonly MasterFault[], faultCount: number): void {
  const shown = [...faults].sort((a, b) => a.line - b.line).slice(0, MAX_SHOWN)
  const [first] = shown
  if (first === undefined) return
  const more = faultCount - shown.length
  const lines = shown.map((fault) => `\n  ${formatFault(file, fault)}`)
  const message =
    faultCount === 1
      ? formatFault(file, first)
      : `${file} has ${faultCount} faults:${lines.join('')}${more === 0 ? '' : `\n  and ${more} more`}`
  throw new MakiError('MAKI_INVALID', message, {
    hint:
      faultCount === 1
        ? first.hint
        : `Line ${first.line}: ${first.hint} Correct all of them, or leave them out with --skip-invalid.`,
  })
}

/** `zone.txt:3: www A 192.0.2: "192.0.2" is …` */
export const formatFault = (file: string, { line, text, message }: MasterFault): string =>
  `${file}:${line}: ${plainLine(text)}: ${plainLine(message)}`
