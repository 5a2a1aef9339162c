import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { dataFolderAt } from '../../../cli/client/data-folder.ts'
import { LocalReplica } from '../../../cli/client/local-replica.ts'
import { loadProfile } from '../../../cli/config/index.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { type Operation, silentLog } from '../../../core/index.ts'
import {
  admitSigners,
  createTestCluster,
  keepAdmitted,
  randomHistory,
  shuffleCausally,
} from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { runInProcess } from '../support/test-cluster.ts'

const cluster = createTestCluster()
const CLEAN = join(import.meta.dirname, '..', 'support', 'clean-replay.ts')

interface Clean {
  readonly states: readonly string[]
  readonly blame: readonly unknown[][]
  readonly conflicts: readonly unknown[][]
}

for (const seed of seeds(6)) {
  t.test(`answers about the past are those of a clean process with the same operations (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const membership = seed % 2 === 0 ? 0.12 : 0.02
    const history = keepAdmitted(
      randomHistory(random, cluster, { operations: 60, membership, backdated: 0.25, start: admitSigners(cluster) }),
    )
    const folder = t.testdir()
    const maki = await fill(folder, shuffleCausally(random, history))
    const moments = Array.from({ length: 5 }, () => random.pick(history))
    const at = moments.map(({ id, stamp }, i) => (i % 2 === 0 ? id : stamp.wallMs))
    const task = join(folder, 'task.json')
    const operations = random.shuffle(history).map(({ bytes }) => Buffer.from(bytes).toString('base64'))
    writeFileSync(task, JSON.stringify({ cluster: cluster.id, operations, at }))
    const clean = JSON.parse(
      execFileSync(process.execPath, [CLEAN, task], { encoding: 'utf8', maxBuffer: 1e8 }),
    ) as Clean

    for (const [i, moment] of at.entries()) {
      const typed = typeof moment === 'number' ? new Date(moment).toISOString() : moment
      const { stdout } = await maki('state', '--at', typed)
      t.equal(stdout, `${clean.states[i]}\n`, `the state at ${typed}, byte for byte`)
    }
    const kinds = [
      'cluster',
      'member',
      'node',
      'node-name',
      'domain',
      'seal',
      'certificate',
      'order',
      'challenge',
      'host',
    ]
    const blamed: unknown[] = []
    for (const kind of kinds) {
      const { stdout, code } = await maki('blame', kind)
      if (code !== 0) continue
      const rows = JSON.parse(stdout) as { key: string; value: unknown; operation: string; beside: string[] }[]
      blamed.push(...rows.map(({ key, value, operation, beside }) => [key, value, operation, ...beside]))
    }
    // A kind alone lists what is left of a scope; what was removed with all of its scope is found by its key.
    const found = new Set(blamed.map((row) => JSON.stringify(row)))
    for (const row of clean.blame) {
      if (found.has(JSON.stringify(row))) continue
      const { stdout } = await maki('blame', String(row[0]))
      const rows = JSON.parse(stdout) as { key: string; value: unknown; operation: string; beside: string[] }[]
      const own = rows.find(({ key }) => key === row[0])
      t.same([own?.key, own?.value, own?.operation, ...(own?.beside ?? [])], row, `blame of ${row[0]}`)
    }
    const expected = new Set(clean.blame.map((row) => JSON.stringify(row)))
    t.same(
      blamed.filter((row) => !expected.has(JSON.stringify(row))),
      [],
      'nothing else is blamed',
    )
    const { stdout } = await maki('conflicts')
    const conflicts = JSON.parse(stdout) as {
      key: string
      winner: { operation: string }
      losers: { operation: string }[]
    }[]
    t.same(
      conflicts.map(({ key, winner, losers }) => [key, winner.operation, ...losers.map(({ operation }) => operation)]),
      clean.conflicts,
      'conflicts',
    )
  })
}

/** A profile with these operations on disk; `maki --json --offline` on it. */
async function fill(folder: string, operations: readonly Operation[]) {
  const file = join(folder, 'profile.toml')
  writeFileSync(file, `cluster = "${cluster.id}"\ndata = "data"\n`)
  const profile = await loadProfile(file, {})
  const options = {
    cluster: cluster.id,
    folder: dataFolderAt(profile.dataFolder),
    runtime: systemRuntime,
    log: silentLog,
  }
  {
    await using local = await LocalReplica.open(options)
    for (let from = 0; from < operations.length; from += 7)
      await local.replica.merge(operations.slice(from, from + 7).map(({ bytes }) => bytes))
  }
  const env = { HOME: folder, MAKIATTO_PROFILE: file }
  return (...words: string[]) => runInProcess([...words, '--json', '--offline'], { env, cwd: folder })
}
