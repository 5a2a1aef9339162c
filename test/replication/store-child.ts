/** Writes to a store in a process of its own: appends operations for ever and prints the id of each acknowledged one. */
import { systemRuntime } from '../../cli/system.ts'
import { asMakiError, silentLog } from '../../core/index.ts'
import { openLevelStore } from '../../replication/index.ts'
import { cluster, follow, recordChange } from './chain.ts'

const [directory = '', start = '0'] = process.argv.slice(2)
const store = await openLevelStore({ directory, cluster: cluster.id, runtime: systemRuntime, log: silentLog })
const say = (line: string) => new Promise((resolve) => process.stdout.write(`${line}\n`, resolve))

let last = cluster.creation
if (store.count === 0) await store.append([last])

async function append(number: number): Promise<void> {
  last = follow([last], [recordChange(number)], { wallMs: 1_700_000_000_000 + number * 1000 })
  const { id, bytes } = last
  await store.append([{ id, bytes }])
  await say(id)
}

if (start === 'until-full') {
  let refused = 0
  for (let number = 0; refused < 2; number++) {
    try {
      await append(number)
    } catch (error) {
      refused++
      await say(`refused ${asMakiError(error).code}`)
    }
  }
  await store.close()
  await say('closed')
} else {
  // Several at once, so that batches are shared.
  for (let number = Number(start); ; number += 3) await Promise.all([0, 1, 2].map((i) => append(number + i)))
}
