/** `npm run bundle [-- --arch x64|arm64] [--out DIR]`: makes the bundles of this checkout, and says what they are. */
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { MessageChannel } from 'node:worker_threads'
import { asMakiError, MakiError } from '../../core/index.ts'
import type { BundleArch } from './bundle.ts'
import { makeBundle } from './make-bundle.ts'
import { findSources } from './sources.ts'

const ARCHES: readonly BundleArch[] = ['x64', 'arm64']

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { arch: { type: 'string', multiple: true }, out: { type: 'string' }, publish: { type: 'boolean' } },
  })
  // Before a package is published, its bundles' hashes go into it; other packages do without.
  if (values.publish === true && process.env.npm_command !== 'publish') return
  const arches = values.arch?.map(parseArch) ?? ARCHES
  const sources = await findSources()
  const known: Partial<Record<BundleArch, string>> = {}
  for (const arch of arches) {
    const onProgress = (text: string): void => void process.stderr.write(`linux-${arch}: ${text}\n`)
    const folder = resolve(values.out ?? '.')
    const bundle = await makeBundle(sources, arch, { folder, signal: new AbortController().signal, onProgress })
    known[arch] = bundle.sha256
    process.stdout.write(`${bundle.sha256}  ${bundle.file}\n`)
  }
  if (values.publish === true) await writeFile(join(sources.root, 'dist', 'bundles.json'), `${JSON.stringify(known)}\n`)
}

function parseArch(text: string): BundleArch {
  const arch = ARCHES.find((one) => one === text)
  if (arch !== undefined) return arch
  throw new MakiError('MAKI_USAGE', `${JSON.stringify(text)} is no processor that bundles are made for`, {
    hint: `--arch ${ARCHES.join(' or --arch ')}`,
  })
}

const awake = new MessageChannel()
awake.port1.on('message', () => {})
try {
  await main()
} catch (thrown) {
  const { message, hint, exitCode } = asMakiError(thrown)
  process.stderr.write(`${message}\n${hint === undefined ? '' : `${hint}\n`}`)
  process.exitCode = exitCode
}
awake.port1.close()
