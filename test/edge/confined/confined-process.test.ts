import { join } from 'node:path'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { ConfinedProcess, readHeader } from '../../../edge/confined/index.ts'

const MIB = 1024 * 1024
const ROOT = join(import.meta.dirname, '..', '..', '..')

function startTalker(maxMemoryBytes: number): ConfinedProcess {
  const main = join(import.meta.dirname, 'talker-main.ts')
  const readable = [join(ROOT, 'edge'), join(ROOT, 'core')]
  const talker = new ConfinedProcess(
    { main, arguments: [], readable, maxFrameBytes: 1024, maxMemoryBytes },
    systemRuntime,
  )
  t.teardown(() => talker.close())
  return talker
}

t.test('a process that talks all the time is looked at all the same', async (t) => {
  const talker = startTalker(300 * MIB)
  let kept = 0
  for (; kept < 150; kept++) {
    talker.send({ keep: true })
    if ((await talker.next(60_000)) === undefined) break
    // So that it stays well below what lies between two looks.
    await new Promise<void>((resolve) => systemRuntime.after(2, resolve))
  }
  t.equal(talker.why, 'memory')
  t.ok(kept > 10 && kept < 150, `it was ended with ${kept} times 8 MiB`)
  await talker.ended
  t.equal(talker.signal, 'SIGKILL')
})

t.test('one that stays within its memory is left alone', async (t) => {
  const talker = startTalker(1024 * MIB)
  for (let i = 1; i <= 20; i++) {
    talker.send({ keep: true })
    t.equal(readHeader(await talker.next(60_000)).kept, i)
    await new Promise<void>((resolve) => systemRuntime.after(10, resolve))
  }
  t.equal(talker.hasEnded, false)
  await talker.close()
  t.equal(talker.why, 'closed')
})
