import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { FilePoll } from '../../../cli/node/file-poll.ts'
import { ManualTimer } from './manual-timer.ts'

t.test('a file that is replaced is told of once it stays as it is', async (t) => {
  const folder = t.testdir({ a: 'one', b: 'two' })
  const files = [join(folder, 'a'), join(folder, 'b'), join(folder, 'link', 'c')]
  const timer = new ManualTimer()
  let told = 0
  const poll = await FilePoll.start({ files, runtime: timer, onChange: () => void told++ })
  const look = async (): Promise<number> => {
    await timer.fire()
    return told
  }
  t.equal(await look(), 0, 'nothing happened')
  writeFileSync(join(folder, 'a'), 'half')
  t.equal(await look(), 0, 'it may still be written')
  writeFileSync(join(folder, 'a'), 'half and more')
  t.equal(await look(), 0, 'it was')
  t.equal(await look(), 1)
  t.equal(await look(), 1, 'once')
  writeFileSync(join(folder, 'new'), 'two')
  renameSync(join(folder, 'new'), join(folder, 'b'))
  t.strictSame([await look(), await look()], [1, 2], 'another file of the same size')
  mkdirSync(join(folder, 'v1'))
  writeFileSync(join(folder, 'v1', 'c'), 'x')
  symlinkSync('v1', join(folder, 'link'))
  t.strictSame([await look(), await look()], [2, 3], 'one that was not there, behind a link')
  rmSync(join(folder, 'a'))
  t.strictSame([await look(), await look()], [3, 4], 'one that goes')
  await poll[Symbol.asyncDispose]()
  t.equal(timer.waiting, 0, 'it looks no more')
})
