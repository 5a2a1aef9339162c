import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { VariantStore } from '../../../../cli/node/variants/variant-store.ts'
import { systemRuntime } from '../../../../cli/system.ts'
import { checkOf, VariantFolder } from '../../../../edge/index.ts'
import { compilePowerCut, PowerCutDisk, type PowerCutOptions } from '../../../support/power-cut.ts'
import { createRandom, seeds } from '../../../support/seeds.ts'

const CHILD = join(import.meta.dirname, 'variant-store-child.ts')
const library = compilePowerCut(t.testdir({}))

/** Lets a child take in encodings, cuts the power at any moment, and gives those that are then named with other bytes. */
async function cutOnce(
  t: Test,
  seed: number,
  options: PowerCutOptions,
): Promise<{ wrong: string[]; lost: string[]; kept: number }> {
  const random = createRandom(seed)
  const disk = new PowerCutDisk(makeFolder(t), library, options)
  const directory = join(disk.folder, 'variants')
  const wrong: string[] = []
  const said = new Set<string>()
  const lost: string[] = []
  let kept = 0
  for (let round = 0; round < 2; round++) {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', CHILD, directory, `${seed}${round}`],
      {
        env: { ...process.env, ...disk.env },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    t.teardown(() => child.kill('SIGKILL'))
    let left = 1 + random.integer(15)
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (hash) => {
      said.add(hash)
      if (--left === 0) child.kill('SIGKILL')
    })
    await Promise.all([once(child, 'exit'), once(lines, 'close')])
    disk.cut(random)
    const folder = new VariantFolder(directory)
    await using store = await VariantStore.open({
      directory,
      runtime: systemRuntime,
      missing: async () => [],
      changed: () => {},
    })
    const there = new Set<string>([...store.table.records()].map(({ hash }) => hash))
    lost.push(...[...said].filter((hash) => !there.has(hash)))
    for (const { hash, ...variant } of [...store.table.records()]) {
      kept++
      const bytes = await folder.read(hash, variant).catch(() => undefined)
      // The children write no encodings but blobs as they are, whose names can be compared too.
      if (bytes === undefined || checkOf(bytes) !== hash.slice(0, 16)) wrong.push(hash)
    }
  }
  return { wrong, lost, kept }
}

function makeFolder(t: Test): string {
  const folder = join(t.testdir({}), 'disk')
  mkdirSync(folder)
  return folder
}

for (const seed of seeds(2)) {
  t.test(`a power cut leaves whole encodings or none (SEED=${seed})`, async (t) => {
    const { wrong, lost, kept } = await cutOnce(t, seed, {})
    t.strictSame(wrong, [])
    t.strictSame(lost, [], 'what was said to be taken in stays')
    t.ok(kept > 0, `${kept} were kept`)
  })
}

for (const fault of ['files', 'folders'] as const) {
  t.test(`without the fsync of ${fault} the same cuts find a loss, and still nothing wrong`, async (t) => {
    let lost = 0
    for (let seed = 1; seed <= 12 && lost === 0; seed++) {
      const found = await cutOnce(t, seed, { ignore: [fault] })
      lost += found.lost.length
      t.strictSame(found.wrong, [], 'names tell lengths')
    }
    t.ok(lost > 0)
  })
}
