import { readFileSync } from 'node:fs'
import t from 'tap'
import { checkDaemonConfig } from '../../../cli/config/daemon-config.ts'
import { daemonSchema } from '../../../cli/config/daemon-schema.ts'
import { parseToml } from '../../../cli/config/toml.ts'

/** The tables of the pages name every key of the daemon's file once, with the default that it has. */

interface Documented {
  readonly key: string
  readonly usual: string
}

/** Checked and kept for later versions, which is what the page says of them. */
const FOR_LATER = [
  'node.is_nameserver',
  'dns.tls_addr',
  ...['enabled', 'default_timeout_ms', 'max_timeout_ms', 'default_max_memory_mb', 'max_memory_mb'].map(
    (key) => `wasm.${key}`,
  ),
  'acme.renewal_threshold',
  ...['otlp_endpoint', 'sampling_ratio', 'tracing_enabled', 'metrics_enabled', 'logging_enabled'].map(
    (key) => `o11y.${key}`,
  ),
]

/** Defaults that are told in words. */
const WORDS: Readonly<Record<string, unknown>> = {
  'those of the system': [],
  'one for each core': undefined,
  'by memory': undefined,
  'the mesh address': undefined,
  all: ['webp', 'jpg', 'jpeg', 'png', 'avif'],
  any: [],
  "Let's Encrypt": undefined,
  '–': undefined,
}

/** Rows of the tables with the columns key, default, meaning; a first cell may begin with a section. */
function readTables(page: string, section: string): Documented[] {
  const text = readFileSync(new URL(`../../../docs/${page}`, import.meta.url), 'utf8')
  const found: Documented[] = []
  let at = section
  for (const table of text.matchAll(/^\| key \| default \| meaning \|\n\|[-|]+\|\n((?:\|.*\n)+)/gm)) {
    for (const row of String(table[1]).trim().split('\n')) {
      const [, names = '', usual = ''] = row.split(' | ').flatMap((cell, i) => (i === 0 ? ['', cell] : cell))
      at = /`\[(\w+)\]`/.exec(names)?.[1] ?? at
      const keys = [...names.matchAll(/`(\w+)`/g)].map(([, key]) => `${at}.${key}`)
      const values = usual.split(', ')
      for (const [i, key] of keys.entries()) found.push({ key, usual: values[i] ?? (values[0] as string) })
    }
  }
  return found
}

const DOCUMENTED = [...readTables('daemon.md', ''), ...readTables('health.md', 'health')]
const config: Readonly<Record<string, unknown>> = { ...checkDaemonConfig(parseToml('[node]\nname = "n"\n', 'd.toml')) }

function usualOf(key: string): unknown {
  const [section = '', name = ''] = key.split('.')
  const value: unknown = (config[section] as Readonly<Record<string, unknown>>)[name]
  if (typeof value === 'object' && value !== null && 'port' in value) return `[::]:${value.port}`
  return value === '' ? undefined : value
}

function readUsual(text: string): unknown {
  if (Object.hasOwn(WORDS, text)) return WORDS[text]
  const plain = text.replaceAll('`', '')
  try {
    return JSON.parse(plain)
  } catch {
    return plain
  }
}

t.test('every key is documented once, or kept for later', async (t) => {
  const all = Object.entries(daemonSchema.entries).flatMap(([section, schema]) =>
    Object.keys('wrapped' in schema ? schema.wrapped.entries : schema.entries).map((key) => `${section}.${key}`),
  )
  const named = [...DOCUMENTED.map(({ key }) => key), ...FOR_LATER]
  t.strictSame(named.toSorted(), all.toSorted())
})

t.test('the defaults are those that are documented', async (t) => {
  // The name alone has none.
  for (const { key, usual } of DOCUMENTED.filter(({ key }) => key !== 'node.name'))
    t.strictSame(readUsual(usual), usualOf(key), `${key}: ${usual}`)
})
