import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { eventually } from '../support/eventually.ts'
import { buildWatGuest } from '../support/guests/build-wat.ts'
import { DocumentedIds } from './documented-ids.ts'
import { DaemonCluster } from './support/daemons.ts'
import { Laptop } from './support/laptop.ts'
import { writeProject } from './support/project.ts'
import { ROOT, Scene } from './support/scene.ts'
import { readWithPorts, Shell } from './support/terminal.ts'
import { formatDifference, isAsExpected, parseTranscript, type Step } from './transcript.ts'

/**
 * Types the examples of each page, in a new cluster of three nodes that answers for nothing yet, in the folder of a small
 * site. `PAGE=team` types one page alone.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const PAGES = [
  'team',
  'history',
  'releases',
  'previews',
  'offline',
  'secrets',
  'certificates',
  'dns',
  'master-files',
  'move-a-live-domain',
  'health',
  'peers',
] as const
/** These only ask. What one node acknowledged reaches the others a moment later, so they are asked until it has. */
const QUESTION =
  /^(curl|dig|maki (status|health|history|show|blame|state|conflicts$|conflicts;|release (list|show|diff)|operator list|cluster show|record list|domain list|dns explain|peer (list|wg-config)|cert (list|show)))\b/
const OWNER = 'owner'
/** More than any answer has ever needed; the difference is then shown. */
const QUESTIONS = 25

const component = await buildWatGuest('http-echo')
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const ports = new Map(
  [0, 1, 2].flatMap((i) => [
    [8080 + i, scene.httpPort + i],
    [5300 + i, scene.dnsPort + i],
  ]),
)

for (const page of PAGES.filter((page) => (process.env.PAGE ?? page) === page)) {
  t.test(`docs/${page}.md`, async (t) => {
    await using cluster = await DaemonCluster.make(scene, { name: page })
    await cluster.start()
    await cluster.agreement()
    const terminals = new Terminals(cluster, page)
    if (page !== 'team') await terminals.admit('ann')
    const ids = new DocumentedIds()
    const steps = parseTranscript(readWithPorts(join(ROOT, 'docs', `${page}.md`), ports))
    t.ok(steps.length >= 4, `${steps.length} steps`)
    for (const step of steps) {
      if (step.kind !== 'run') throw new Error(`docs/${page}.md:${step.line}: nothing runs in a first terminal here`)
      await t.test(`docs/${page}.md:${step.line} $ ${step.command.split('\n')[0]}`, (t) =>
        typeCommand(t, terminals.of(step.computer), step, ids),
      )
      if (!t.passing()) return
    }
  })
}

t.test('nothing is left behind', async (t) => {
  t.strictSame(await scene.leftovers(), [])
})

async function typeCommand(t: Test, shell: Shell, step: Extract<Step, { kind: 'run' }>, ids: DocumentedIds) {
  const { expected } = step
  const command = ids.fill(step.command)
  let last = { code: null as number | null, output: '' }
  const fits = async (): Promise<true | undefined> => {
    last = await shell.type(command)
    return (last.code === 0 && isAsExpected(expected, last.output, ids)) || undefined
  }
  const tries = QUESTION.test(command) ? QUESTIONS : 1
  const done = await eventually('the expected answer', fits, { tries }).catch(() => false)
  const details = { difference: formatDifference(expected, last.output, ids), exitCode: last.code }
  t.ok(done, 'it prints what stands there', done ? {} : details)
}

/** A terminal for each computer that a page speaks of, in its copy of the site. */
class Terminals {
  readonly #cluster: DaemonCluster
  readonly #page: string
  readonly #shells = new Map<string, Shell>()

  constructor(cluster: DaemonCluster, page: string) {
    this.#cluster = cluster
    this.#page = page
  }

  /** That of the owner where no computer is named. */
  of(computer = OWNER): Shell {
    const known = this.#shells.get(computer)
    if (known !== undefined) return known
    const laptop = this.#buy(computer)
    const shell = new Shell(laptop.home, { cwd: writeSite(laptop.path('site')), env: laptop.env })
    this.#shells.set(computer, shell)
    return shell
  }

  /** Makes an operator of somebody whom the page takes for one. */
  async admit(name: string): Promise<void> {
    const key = await this.of(name).type('maki operator key 2>/dev/null')
    const added = await this.of().type(`maki operator add ${name} ${key.output.trim()}`)
    if (added.code !== 0) throw new Error(added.output)
  }

  #buy(computer: string): Laptop {
    const { profile } = this.#cluster
    const recoveryKey = join(dirname(profile), 'recovery.key')
    return new Laptop(scene, `${this.#page}-${computer}`, { profile, isOwner: computer === OWNER, recoveryKey })
  }
}

/** The project that each page begins with, and a function beside it. */
function writeSite(folder: string): string {
  const files = {
    'index.html': '<h1>Coffee</h1>\n',
    'menu.html': '<p>Espresso</p>\n',
    'site.css': 'h1 { color: teal }\n',
  }
  const project = writeProject(folder, { domain: 'example.com', files })
  writeFileSync(join(project, 'pay.wasm'), component)
  return project
}
