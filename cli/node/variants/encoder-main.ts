/** The process that encodes: takes one call after another from control, has no keys, and dies with control. */
import { open, readFile } from 'node:fs/promises'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { asMakiError, hashBlob, MakiError, Manifest } from '../../../core/index.ts'
import { checkOf, isWorthKeeping } from '../../../edge/index.ts'
import { encodeBytes, isNoise } from './encode-bytes.ts'
import type { Encoded, EncoderCall, EncoderReply } from './encoder-messages.ts'
import { listFiles } from './encoding-list.ts'

setPriority(constants.priority.PRIORITY_LOW)
// At once, whatever a thread computes: nobody waits for it any more.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
// Control decides what an interrupt from the terminal means.
process.on('SIGINT', () => {})
process.on('message', (call: EncoderCall) => {
  void act(call)
    .catch((error: unknown): EncoderReply => ({ type: 'failed', error: asMakiError(error).toJSON() }))
    .then((reply) => process.send?.(reply))
})

async function act(call: EncoderCall): Promise<EncoderReply> {
  switch (call.type) {
    case 'list': {
      const bytes = await readFile(call.manifest)
      if (hashBlob(bytes) !== call.hash) return { type: 'damaged' }
      return { type: 'listed', list: listFiles(Manifest.decode(bytes)) }
    }
    case 'encode': {
      const bytes = await readFile(call.blob)
      // What a disk altered would be served from here even after the blob was mended.
      if (hashBlob(bytes) !== call.hash) return { type: 'damaged' }
      return { type: 'encoded', results: await encodeAll(bytes, call) }
    }
    default:
      call satisfies never
      throw new MakiError('MAKI_INTERNAL', 'the encoder was asked for what it does not know')
  }
}

async function encodeAll(bytes: Uint8Array, { steps, folder }: EncoderCall & { type: 'encode' }): Promise<Encoded[]> {
  if (await isNoise(bytes)) return steps.map(({ coding }) => ({ kind: 'useless', coding }))
  const results: Encoded[] = []
  for (const step of steps) {
    const { coding } = step
    const encoded = await encodeBytes(bytes, step)
    if (isWorthKeeping(bytes.length, encoded.length)) {
      await using file = await open(join(folder, coding), 'w', 0o600)
      await file.writeFile(encoded)
      results.push({ kind: 'made', coding, sizeBytes: encoded.length, check: checkOf(encoded) })
    } else results.push({ kind: 'useless', coding })
  }
  return results
}
