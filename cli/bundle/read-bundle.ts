import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import * as v from 'valibot'
import { asMakiError, MakiError } from '../../core/index.ts'
import { readEntries } from '../archive/index.ts'
import type { Bundle, BundleArch } from './bundle.ts'
import { archOf, isElf } from './elf.ts'
import { MANIFEST } from './make-bundle.ts'

const manifest = v.looseObject({ version: v.string(), arch: v.picklist(['x64', 'arm64']) })
const WANTED = [MANIFEST, 'bin/makiatto', 'bin/node']
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
  const found = new Map<string, { readonly content: Uint8Array; readonly isProgram: boolean }>()
  try {
    const tar = await promisify(gunzip)(bytes, { maxOutputLength: MAX_BYTES })
    for (const entry of readEntries(tar)) {
      // Root unpacks it: nothing may come to lie elsewhere.
      if (entry.type === 'other') throw new Error(`it holds ${JSON.stringify(entry.path)}, which is no file`)
      if (entry.path.startsWith('/') || entry.path.split('/').includes('..'))
        throw new Error(`it holds ${JSON.stringify(entry.path)}, which leads out of it`)
      if (entry.type === 'file' && WANTED.includes(entry.path)) found.set(entry.path, entry)
    }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'Z_BUF_ERROR') throw refuse('it is cut short', cause)
    throw refuse(code === 'Z_DATA_ERROR' ? 'it is damaged, or no tar.gz at all' : message, cause)
  }
  const [text, program, node] = WANTED.map((name) => found.get(name))
  if (text === undefined || program === undefined || node === undefined) throw refuse('it holds no Makiatto')
  if (!program.isProgram || !node.isProgram) throw refuse('its programs are not marked as such')
  const read = v.safeParse(manifest, parseJson(Buffer.from(text.content).toString()))
  if (!read.success) throw refuse(`its ${MANIFEST} is none`)
  if (read.output.arch !== arch) throw refuse(`it is for ${read.output.arch}, and the server is ${arch}`)
  if (!isElf(node.content) || archOf(node.content) !== arch)
    throw refuse('its Node is for another processor than it says')
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
