import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { type BlobHash, type Hostname, type OperationId, type Release, silentLog } from '../../../core/index.ts'
import { ActivationFile } from '../../../replication/releases/activation-file.ts'

const hash = 'a'.repeat(64) as BlobHash
const release = (digit: string): Release => ({
  id: `${digit.repeat(51)}a` as OperationId,
  domain: 'example.com' as Hostname,
  manifest: hash,
  tree: hash,
  files: 1,
  bytes: 1,
  aliases: [],
})

/** Calls once when the folder was made durable and closed, the last that a save asks of the disk. */
function afterNextSync(call: () => void): void {
  const { open } = promises
  promises.open = async (path, flags, mode) => {
    const handle = await open(path, flags, mode)
    if (flags !== 'r') return handle
    promises.open = open
    syncBuiltinESMExports()
    handle[Symbol.asyncDispose] = async () => {
      await handle.close()
      call()
    }
    return handle
  }
  syncBuiltinESMExports()
}

t.test('whatever moment a save is asked for, the last one is on disk when all settled', async (t) => {
  const directory = t.testdir()
  for (let turns = 0; turns < 16; turns++) {
    const file = new ActivationFile(join(directory, `${turns}.json`), silentLog)
    const asked = Promise.withResolvers<void>()
    afterNextSync(async () => {
      for (let i = 0; i < turns; i++) await null
      file.save([release('c')])
      asked.resolve()
    })
    file.save([release('b')])
    await asked.promise
    await file.settled()
    t.same(await file.load(), [release('c')], `asked for ${turns} turns after the write`)
  }
})
