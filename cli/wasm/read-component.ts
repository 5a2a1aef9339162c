import { open } from 'node:fs/promises'
import { asMakiError, MakiError } from '../../core/index.ts'
import { DEFAULT_LIMITS, type Inspection, inspectComponent } from '../../edge/index.ts'

/** A file, and whether it is a component that a node runs. `bytes` are empty where there are too many. */
export interface InspectedFile {
  readonly bytes: Uint8Array
  readonly inspection: Inspection
}

/**
 * Reads a component and inspects it; a file of more than a component may have is not read. Throws MAKI_NOT_FOUND for
 * what cannot be read.
 */
export async function inspectFile(path: string): Promise<InspectedFile> {
  try {
    await using file = await open(path)
    const stat = await file.stat()
    // Devices and pipes never end.
    if (!stat.isFile()) throw new Error('that is not a file')
    if (stat.size > DEFAULT_LIMITS.maxSizeBytes) return { bytes: new Uint8Array(0), inspection: tooLarge(stat.size) }
    const bytes = await file.readFile()
    return { bytes, inspection: inspectComponent(bytes) }
  } catch (thrown) {
    const isMissing = (thrown as NodeJS.ErrnoException).code === 'ENOENT'
    const why = isMissing ? 'there is no such file' : asMakiError(thrown).message
    throw new MakiError('MAKI_NOT_FOUND', `${path} cannot be read: ${why}`, {
      cause: thrown,
      hint: 'Build it first, or correct the path.',
    })
  }
}

function tooLarge(sizeBytes: number): Inspection {
  const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`
  const message = `The file has ${mebibytes(sizeBytes)}; ${mebibytes(DEFAULT_LIMITS.maxSizeBytes)} are the most.`
  const hint = 'Build it for release, with optimisation for size, and strip what is for debugging.'
  return { kind: 'unfit', fault: { code: 'too-large', message, hint } }
}
