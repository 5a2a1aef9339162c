import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { benchCommit } from './commit.ts'
import { benchDns } from './dns.ts'
import { benchDocument } from './document.ts'
import { benchEdge } from './edge.ts'
import { benchFunctions } from './functions.ts'
import { benchHashing } from './hashing.ts'
import { benchImages } from './images.ts'
import { benchLocalReads } from './local-reads.ts'
import { benchManyOperations } from './many-operations.ts'
import { benchMemory } from './memory.ts'
import { benchMesh } from './mesh.ts'
import { benchMeshJoin } from './mesh-join.ts'
import { benchPropagation } from './propagation.ts'
import { describeMachine } from './report.ts'
import { benchServing } from './serving.ts'
import { benchSoak } from './soak.ts'
import { benchSsh } from './ssh.ts'
import { benchStartUp } from './start-up.ts'
import { benchSync } from './sync.ts'
import { benchTransforms } from './transforms.ts'
import { benchZones } from './zones.ts'

/** Runs the benchmarks that are named, or all but the long ones: `npm run bench -- commit sync`. Prints numbers, judges nothing. */
const BENCHMARKS: Readonly<Record<string, () => Promise<void>>> = {
  commit: benchCommit,
  propagation: benchPropagation,
  sync: benchSync,
  hashing: benchHashing,
  memory: benchMemory,
  'start-up': benchStartUp,
  reads: benchLocalReads,
  operations: benchManyOperations,
  serving: benchServing,
  document: benchDocument,
  dns: benchDns,
  edge: benchEdge,
  zones: benchZones,
  images: benchImages,
  functions: benchFunctions,
  transforms: benchTransforms,
  ssh: benchSsh,
  mesh: benchMesh,
  'mesh-join': benchMeshJoin,
  soak: benchSoak,
}

const names = process.argv.slice(2)
const unknown = names.find((name) => !Object.hasOwn(BENCHMARKS, name))
if (unknown !== undefined) {
  console.error(`There is no benchmark ${unknown}; there are: ${Object.keys(BENCHMARKS).join(', ')}`)
  process.exit(2)
}
describeMachine(join(dirname(fileURLToPath(import.meta.url)), '..', '..'))
/** Ten minutes on its own. */
const LONG: ReadonlySet<string> = new Set(['soak'])
const usual = Object.keys(BENCHMARKS).filter((name) => !LONG.has(name))
for (const name of names.length === 0 ? usual : names) await BENCHMARKS[name]?.()
