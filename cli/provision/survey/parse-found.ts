import { type ClusterId, type NodeName, parseClusterId, parseNodeName } from '../../../core/index.ts'
import { parseToml } from '../../config/index.ts'
import { SERVER_PATHS } from '../../setup/index.ts'
import type { Facts } from './read-facts.ts'
import type { Found } from './survey.ts'

/** What the Makiatto that was written in Rust leaves on a server, and ours never. */
const RUST_MARKS = ['file /var/makiatto/cluster.db', 'file /etc/makiatto.toml', 'file /etc/sudoers.d/makiatto'] as const

/** Operations of a cluster, that the node was given or has. */
const BEGUN_MARKS = [`file ${SERVER_PATHS.data}/bootstrap.operations`, `file ${SERVER_PATHS.data}/stored`] as const

/** What was there before us, from the files that it made. */
export function parseFound(facts: Facts): Found {
  const lines = facts.get('marks') ?? []
  const marks = lines.filter((line) => /^(file|folder|link) \//.test(line))
  const planted = lines.filter((line) => line.startsWith('planted /'))
  if (planted.length > 0) return { kind: 'foreign', marks: planted.map((line) => line.slice('planted '.length)) }
  const has = (mark: string): boolean => marks.some((line) => line === mark || line.startsWith(`${mark} `))
  const paths = marks.map((line) => line.split(' ')[1] as string)
  const hasJournal = has(`file ${SERVER_PATHS.journal}`)
  const rust = marks.filter((line) => RUST_MARKS.some((mark) => line === mark))
  if (!hasJournal && has(`file ${SERVER_PATHS.command}`)) rust.push(`file ${SERVER_PATHS.command}`)
  if (rust.length > 0) return { kind: 'rust', marks: rust.map((line) => line.split(' ')[1] as string) }
  const current = marks.find((line) => line.startsWith(`link ${SERVER_PATHS.current} `))
  const hasConfig = has(`file ${SERVER_PATHS.config}`)
  if ((current !== undefined || hasJournal) && hasConfig) {
    const config = (facts.get('config') ?? []).join('\n')
    return {
      kind: 'node',
      ...readConfig(config),
      config,
      version: /versions\/([0-9a-f]{64})(?:\/|$)/.exec(current ?? '')?.[1],
      isActive: lines.includes('active active'),
      isBegun: lines.includes('active active') || BEGUN_MARKS.some(has),
    }
  }
  if (hasJournal || current !== undefined) return { kind: 'remains', marks: paths }
  // Folders of what was brought, and nothing else: an upload, perhaps of somebody who is at it now.
  const foreign = paths.filter((path) => path !== SERVER_PATHS.root)
  if (foreign.length > 0) return { kind: 'foreign', marks: foreign }
  return { kind: 'nothing' }
}

/** A file that is a stranger's: what cannot be read is not known. */
function readConfig(text: string): { cluster: ClusterId | undefined; name: NodeName | undefined } {
  try {
    const { node } = parseToml(text, SERVER_PATHS.config).values as { node?: { cluster?: unknown; name?: unknown } }
    return { cluster: tryParse(parseClusterId, node?.cluster), name: tryParse(parseNodeName, node?.name) }
  } catch {
    return { cluster: undefined, name: undefined }
  }
}

function tryParse<T>(parse: (text: string) => T, value: unknown): T | undefined {
  if (typeof value !== 'string') return undefined
  try {
    return parse(value)
  } catch {
    return undefined
  }
}
