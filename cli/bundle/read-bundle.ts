import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import * as v from 'valibot'
import { asMakiError, MakiError } from '../../core/index.ts'
import type { Bundle, BundleArch } from './bundle.ts'
import { MANIFEST } from './make-bundle.ts'
import { readTar } from './tar.ts'

const manifest = v.looseObject({ version: v.string(), arch: v.picklist(['x64', 'arm64']) })
/** Nothing of ours is larger unpacked. */
const MAX_BYTES = 1024 * 1024 * 1024

/** Reads a bundle that somebody names, to its end. Throws MAKI_NOT_FOUND, and MAKI_INVALID for what is none, is cut short, or is for another processor. */
export async function readBundle(path: string, arch: BundleArch): Promise<Bundle> {
  const file = resolve(path)
  const hint = 'Make one in a checkout: npm run bundle\nor leave --binary-path out.'
  const refuse = (why: string, cause?: unknown): MakiError =>
    new MakiError('MAKI_INVALID', `${file} is no bundle that can be used: ${why}`, { cause, hint })
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') throw new MakiError('MAKI_NOT_FOUND', `there is no bundle ${file}`, { cause, hint })
    throw refuse(asMakiError(cause).message, cause)
  })
  const found = new Map<string, Uint8Array>()
  try {
    const tar = await promisify(gunzip)(bytes, { maxOutputLength: MAX_BYTES })
    for (const { path: name, content } of readTar(tar))
      if (name === MANIFEST || name === 'bin/makiatto' || name === 'bin/node') found.set(name, content)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'Z_BUF_ERROR') throw refuse('it is cut short', cause)
    throw refuse(code === 'Z_DATA_ERROR' ? 'it is damaged, or no tar.gz at all' : message, cause)
  }
  const text = found.get(MANIFEST)
  if (text === undefined || found.size < 3) throw refuse('it holds no Makiatto')
  const read = v.safeParse(manifest, parseJson(Buffer.from(text).toString()))
  if (!read.success) throw refuse(`its ${MANIFEST} is none`)
  if (read.output.arch !== arch) throw refuse(`it is for ${read.output.arch}, and the server is ${arch}`)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { file, arch, version: read.output.version, sha256, sizeBytes: bytes.length }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
