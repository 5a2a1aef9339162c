import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { COMMANDS } from '../../cli/commands/index.ts'
import { loadProject } from '../../cli/config/index.ts'
import { projectSchema } from '../../cli/config/project-schema.ts'
import { SERVER_PATHS, SERVER_PORTS, SETUP_LOCK } from '../../cli/setup/index.ts'
import { checkRrset, EXPLICIT_TYPES } from '../../dns/index.ts'
import { ROOT } from './support/scene.ts'

/** What the documents name exists, and what exists and people type is named. */

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
/** What stands above the records of an example. */
const DOMAIN = '[[domain]]\nname = "example.com"\npath = "dist"\n'
const DOCUMENTS = ['README.md', ...globSync('docs/*.md', { cwd: ROOT })]

t.test('links lead somewhere', async (t) => {
  for (const document of DOCUMENTS) {
    const links = [...read(document).matchAll(/\]\((?!https?:)([^)#]+)(#[^)]*)?\)/g)].map(([, path]) => String(path))
    const dead = links.filter((path) => !existsSync(join(ROOT, dirname(document), path)))
    t.strictSame(dead, [], document)
  }
})

t.test('so do those to a heading', async (t) => {
  for (const document of DOCUMENTS) {
    const links = [...read(document).matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)]
    const dead = links.filter(([, path, anchor]) => {
      const target = path === '' ? document : join(dirname(document), String(path))
      return existsSync(join(ROOT, target)) && !listAnchors(read(target)).includes(String(anchor))
    })
    t.strictSame(
      dead.map(([link]) => link),
      [],
      document,
    )
  }
})

/** Of the headings of a document, as the sites that show Markdown name them: lower case, hyphens, no punctuation. */
function listAnchors(markdown: string): string[] {
  const headings = markdown.replaceAll(/^```.*?^```/gms, '').matchAll(/^#+ (.*)$/gm)
  return [...headings].map(([, heading]) =>
    String(heading)
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

t.test('files of the project that are named exist', async (t) => {
  for (const document of DOCUMENTS) {
    const named = read(document).match(/(?<=`)(?:test|cli|core|edge|dns|replication|examples)\/[\w./-]+(?=`)/g) ?? []
    t.strictSame(
      named.filter((path) => !existsSync(join(ROOT, path))),
      [],
      document,
    )
  }
})

t.test('every command and every flag of it is documented', async (t) => {
  const text = read('docs/commands.md')
  for (const [id, load] of Object.entries(COMMANDS)) {
    const Command = (await load()) as unknown as { flags?: Record<string, unknown>; baseFlags: Record<string, unknown> }
    t.match(text, `maki ${id.replaceAll(':', ' ')}`, id)
    const flags = [...Object.keys(Command.flags ?? {}), ...Object.keys(Command.baseFlags)]
    t.strictSame(
      flags.filter((flag) => !text.includes(`--${flag}`)),
      [],
      `flags of ${id}`,
    )
  }
})

t.test('every command that is documented exists', async (t) => {
  const ids = Object.keys(COMMANDS).map((id) => id.replaceAll(':', ' '))
  for (const document of DOCUMENTS) {
    const typed = [
      ...read(document).matchAll(/(?:^ {4}|^\$ |^\$ npx |`|npx )maki ((?:[a-z]+(?:-[a-z]+)* ?){1,2})/gm),
    ].map(([, words]) => String(words).trim())
    const unknown = typed.filter(
      (words) => !ids.some((id) => `${words} `.startsWith(`${id} `) || id.startsWith(`${words} `)),
    )
    t.strictSame(unknown, [], document)
  }
})

t.test('every key of the project file is documented', async (t) => {
  const text = read('docs/makiatto-toml.md')
  const domain = projectSchema.entries.domain.wrapped.item.entries
  const keys = [
    ...Object.keys(projectSchema.entries),
    ...Object.keys(domain),
    ...Object.keys(domain.records.wrapped.item.entries),
  ]
  t.strictSame(
    keys.filter((key) => !new RegExp(`\`${key}\`|\\[\\[(domain\\.)?${key}\\]\\]`).test(text)),
    [],
  )
})

t.test('every type of record has a section, and every example of one is read', async (t) => {
  const text = read('docs/records.md')
  const headings = [...text.matchAll(/^## (.*)$/gm)].flatMap(([, heading]) => String(heading).split(' and '))
  t.strictSame(
    EXPLICIT_TYPES.filter((type) => !headings.includes(type)),
    [],
  )
  const examples = [...text.matchAll(/^```toml\n(.*?)^```/gms)].map(([, example]) => String(example))
  const written = new Set(
    examples.flatMap((example) => [...example.matchAll(/^type = "(\w+)"/gm)].map(([, type]) => type)),
  )
  t.strictSame(
    EXPLICIT_TYPES.filter((type) => !written.has(type)),
    [],
  )
  for (const [i, example] of examples.entries()) {
    const folder = t.testdir({ [`${i}`]: { 'makiatto.toml': `${DOMAIN}${example}`, dist: {} } })
    const project = await loadProject(join(folder, String(i), 'makiatto.toml'), { strict: true })
    const [domain] = project.domains
    t.ok((domain?.records.length ?? 0) > 0, example)
    for (const record of domain?.records ?? [])
      t.strictSame(checkRrset(domain!.name, record, domain!.records), [], `${record.name} ${record.type}`)
  }
})

t.test('what lies on a server, and its ports, are documented as they are', async (t) => {
  const text = read('docs/machines.md')
  const cellsOf = (heading: string): string[] =>
    [...(text.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '').matchAll(/^\| ([^|]*) \|/gm)].map(([, cell]) =>
      String(cell),
    )
  const paths = cellsOf('What is changed on a server').flatMap((cell) => cell.match(/(?<=^`)\/[^`<]*[^`</]/) ?? [])
  const known: readonly string[] = [...Object.values(SERVER_PATHS), SETUP_LOCK]
  t.ok(paths.length > 8, `${paths.length} paths`)
  t.strictSame(
    paths.filter((path) => !known.includes(path)),
    [],
    'no other path is',
  )
  t.strictSame(
    known.filter((path) => !paths.some((documented) => `${documented}/`.startsWith(`${path}/`))),
    [],
    'every path is, or what lies in it',
  )
  const ports = cellsOf('Ports').flatMap((cell) => cell.match(/^\d+/)?.map(Number) ?? [])
  const { dns, http, https, wireguard } = SERVER_PORTS
  t.strictSame(
    ports.sort((a, b) => a - b),
    [dns, http, https, wireguard].sort((a, b) => a - b),
  )
})

t.test('log events and metrics that are documented are told', async (t) => {
  const sources = globSync(
    ['core', 'replication', 'dns', 'edge', 'cli'].map((folder) => `${folder}/**/*.ts`),
    { cwd: ROOT },
  )
  const code = sources.map(read).join('\n')
  const [metrics = '', log = ''] = (read('docs/daemon.md').split('## Metrics')[1] ?? '').split('## Log')
  const firstCells = (text: string): string[] =>
    [...text.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell]) => String(cell).match(/(?<=`)[\w.-]+/g) ?? [])
  const named = [...firstCells(metrics), ...firstCells(log)]
  t.ok(named.length > 20, `${named.length} names`)
  t.strictSame(
    // Of `mesh.*` the beginning is named.
    named.filter((name) => !code.includes(name.endsWith('.') ? `'${name}` : `'${name}'`)),
    [],
  )
})
