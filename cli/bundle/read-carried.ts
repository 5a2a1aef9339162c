import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MakiError } from '../../core/index.ts'
import type { CarriedFile } from './carried.ts'
import { readDeb } from './deb.ts'
import type { Sources } from './sources.ts'

/** A file of a Debian package that lies beside the program. Throws MAKI_BLOB_MISMATCH where the package is not Debian's. */
export async function readCarried(
  { packages }: Pick<Sources, 'packages'>,
  carried: Pick<CarriedFile, 'package' | 'sha256'>,
  path: string,
): Promise<Uint8Array> {
  const bytes = await readFile(join(packages, carried.package))
  if (createHash('sha256').update(bytes).digest('hex') !== carried.sha256)
    throw new MakiError('MAKI_BLOB_MISMATCH', `${carried.package} is not what Debian published`, {
      hint: 'Get this program again: something has changed a file of it.',
    })
  const found = (await readDeb(bytes)).find((file) => file.path === path)
  if (found === undefined) throw new Error(`${carried.package} has no ${path}`)
  return found.content
}
