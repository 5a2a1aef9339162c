import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type DownAddress, DownFile, downStandings } from '../../../cli/node/down-file.ts'
import type { MemberKey } from '../../../core/index.ts'
import { recordLog } from '../../replication/fake-runtime.ts'

const path = join(t.testdir(), 'down.json')
const at = (key: string, family: 'ipv4' | 'ipv6', address: string): DownAddress => ({
  key: key as MemberKey,
  family,
  address,
})

t.test('what was saved last is loaded, and whatever else stands there is nothing', async (t) => {
  const log = recordLog()
  const down = [at('a', 'ipv4', '192.0.2.1'), at('a', 'ipv6', '2001:db8::1'), at('b', 'ipv4', '192.0.2.2')]
  {
    await using file = new DownFile(path, log)
    t.same(await file.load(), [])
    t.same(log.events, [], 'no file is no fault')
    for (let i = 0; i < 100; i++) file.save(down.slice(i % 3))
    file.save(down)
  }
  t.same(await new DownFile(path, log).load(), down)
  const whole = readFileSync(path, 'utf8')
  for (const text of ['', '{', 'null', '{"version":2,"down":[]}', whole.replace('ipv4', 'ipv5'), whole.slice(0, -9)]) {
    writeFileSync(path, text)
    t.same(await new DownFile(path, log).load(), [], text)
  }
  t.equal(log.events.length, 6)
  await using nowhere = new DownFile(join(path, 'x'), log)
  nowhere.save(down)
  await nowhere[Symbol.asyncDispose]()
  t.equal(log.events.at(-1)?.[0], 'health.save-failed')
})

t.test('DNS is told each family by itself', async (t) => {
  t.same(downStandings([at('a', 'ipv4', '192.0.2.1'), at('b', 'ipv4', '192.0.2.2'), at('a', 'ipv6', '::1')]), [
    ['a', { ipv4: 'down', ipv6: 'down', behind: false }],
    ['b', { ipv4: 'down', ipv6: 'up', behind: false }],
  ])
  t.same(downStandings([]), [])
})
