/** Takes encodings into a store for ever, in a process of its own, and says each one that was taken. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { VariantStore } from '../../../../cli/node/variants/variant-store.ts'
import { systemRuntime } from '../../../../cli/system.ts'
import { hashBlob } from '../../../../core/index.ts'
import { checkOf } from '../../../../edge/index.ts'
import { createRandom } from '../../../support/seeds.ts'

const [directory = '', seed = '1'] = process.argv.slice(2)
const random = createRandom(Number(seed))
const store = await VariantStore.open({
  directory,
  runtime: systemRuntime,
  missing: async () => [],
  changed: () => {},
})
for (;;) {
  const bytes = random.bytes(1 + random.integer(20_000))
  const path = join(store.incoming, 'br')
  writeFileSync(path, bytes)
  const record = { hash: hashBlob(bytes), coding: 'br', sizeBytes: bytes.length, check: checkOf(bytes) } as const
  await store.admit(path, record)
  await store.settle(record.hash)
  await store.useless.add(record.hash, ['gzip'])
  await new Promise((resolve) => process.stdout.write(`${record.hash}\n`, resolve))
}
