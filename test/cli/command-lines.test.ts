import t, { type Test as Tap } from 'tap'
import { COMMANDS, type CommandId } from '../../cli/commands/index.ts'
import { type Outcome, startTestCluster } from './support/test-cluster.ts'

/** Every flag and argument of every command, as people and scripts get them wrong: told apart by what the commands say of themselves. */

interface FlagFacts {
  readonly type: 'boolean' | 'option'
  readonly char?: string
  readonly multiple?: boolean
  readonly options?: readonly string[]
  readonly required?: boolean
}

interface Facts {
  readonly id: CommandId
  readonly words: readonly string[]
  readonly flags: ReadonlyMap<string, FlagFacts>
  readonly args: readonly { readonly name: string; readonly required: boolean; readonly value: string }[]
  readonly takesMore: boolean
}

async function readFacts(id: CommandId): Promise<Facts> {
  const command = (await COMMANDS[id]()) as unknown as {
    baseFlags: Record<string, FlagFacts>
    flags?: Record<string, FlagFacts>
    args?: Record<string, { required?: boolean; multiple?: boolean; options?: readonly string[] }>
    strict?: boolean
  }
  return {
    id,
    words: id.split(':'),
    flags: new Map(Object.entries({ ...command.baseFlags, ...command.flags })),
    args: Object.entries(command.args ?? {}).map(([name, arg]) => ({
      name,
      required: arg.required === true,
      value: arg.options?.[0] ?? 'x',
    })),
    takesMore: command.strict === false || Object.values(command.args ?? {}).some((arg) => arg.multiple),
  }
}

const allFacts = await Promise.all((Object.keys(COMMANDS) as CommandId[]).map(readFacts))

/** Something that a flag takes; what it means is not looked at before the line is refused. */
const exampleOf = ({ options }: FlagFacts): string => options?.[0] ?? '7'
/** What has to stand there for the line to be whole, but for one flag. */
const required = ({ args, flags }: Facts, but?: string): string[] => [
  ...args.filter((arg) => arg.required).map(({ value }) => value),
  ...[...flags].flatMap(([name, flag]) => (flag.required && name !== but ? [`--${name}`, exampleOf(flag)] : [])),
]

const cluster = await startTestCluster()
t.teardown(() => cluster[Symbol.asyncDispose]())
const before = cluster.nodes[0]?.replica.count

/** A line that is wrong is refused for that, before anything is looked at, and what to do stands there. */
function checkRefused(
  t: Tap,
  { code, stdout, stderr }: Outcome,
  line: readonly string[],
  says: RegExp,
  isJson = false,
): void {
  const said = {
    code,
    stdout,
    named: says.test(stderr),
    form: isJson ? 'hint' in JSON.parse(stderr) : /^Error: .+[\s\S]*\nTry: .+/.test(stderr),
    fault: /\n {4}at |fault of maki/.test(stderr),
  }
  t.strictSame(said, { code: 2, stdout: '', named: true, form: true, fault: false }, `maki ${line.join(' ')}`, {
    stderr,
  })
}

for (const facts of allFacts) {
  t.test(`maki ${facts.words.join(' ')}`, async (t) => {
    const refuse = async (rest: readonly string[], says: RegExp) => {
      const line = [...facts.words, ...rest]
      checkRefused(t, await cluster.maki(...line), line, says)
    }
    for (const [name, flag] of facts.flags) {
      const typed = flag.type === 'boolean' ? [`--${name}`] : [`--${name}`, exampleOf(flag)]
      const whole = required(facts, name)
      const named = new RegExp(`--${name}\\b`)
      if (flag.multiple !== true && name !== 'json' && name !== 'debug')
        await refuse([...whole, ...typed, ...typed], named)
      if (flag.type === 'boolean') {
        if (name !== 'json') await refuse([...whole, `--${name}=yes`], named)
        continue
      }
      await refuse([...whole, `--${name}`, ''], named)
      await refuse([...whole, `--${name}`], named)
      if (flag.required) await refuse(whole, named)
      if (flag.options !== undefined) await refuse([...whole, `--${name}`, 'nonsense'], named)
    }
    await refuse([...required(facts), '--nonsense'], /there is no flag --nonsense here/)
    await refuse([...required(facts), '-Z'], /there is no flag -Z here/)
    const needed = facts.args.filter((arg) => arg.required)
    for (const [i, arg] of needed.entries()) {
      const few = needed.slice(0, i).map(({ value }) => value)
      await refuse(few, new RegExp(`missing[\\s\\S]*${arg.name}`, 'i'))
    }
    if (!facts.takesMore) await refuse([...facts.args.map(({ value }) => value), 'surplus'], /surplus/)
  })
}

t.test('what contradicts itself, or lacks its other half', async (t) => {
  const lines: [string, RegExp][] = [
    ['status --offline --node one', /--offline asks no node, and --node names one/],
    ['health --offline', /--offline asks nobody/],
    ['logs --offline', /--offline/],
    ['machine init a root@192.0.2.1 --offline', /--offline/],
    ['machine upgrade --offline', /--offline/],
    ['machine restart --offline', /--offline/],
    ['machine init a root@192.0.2.1 --skip-ns --force-ns', /--skip-ns/],
    ['machine init a root@192.0.2.1 --lat 1', /--lon/],
    ['machine init a root@192.0.2.1 --lat 91 --lon 0', /--lat/],
    ['machine init a root@192.0.2.1 --ipv4 none --ipv6 none', /without any address/],
    ['machine set one', /--ipv4|nothing/],
    ['machine set one --ns --no-ns', /--ns stands there twice/],
    ['machine set one --lat north', /--lat/],
    ['record set example.com www A', /value/],
    ['record set example.com www A 192.0.2.1 --geo', /--geo/],
    ['record set example.com www MX mail.example.com --ttl -1', /ttl/],
    ['operator add ann x', /"x" is not a public key/],
    ['dev --http-port 5300', /overlap/],
    ['history --limit 0', /limit/],
    ['history --since tomorrow', /not a time/],
    ['sync --config none.toml', /there is no project file/],
    ['logs -n -1', /lines/],
    ['wasm new http UPPER/9', /no name for a project/],
  ]
  for (const [line, says] of lines)
    checkRefused(t, await cluster.maki(...line.split(' ')), line.split(' '), says, line.includes('--json'))
})

t.test('nothing was written by any of it', async (t) => {
  t.equal(cluster.nodes[0]?.replica.count, before)
})
