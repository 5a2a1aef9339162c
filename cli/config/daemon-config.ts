import { MakiError } from '../../core/index.ts'
import { type DaemonFile, daemonSchema } from './daemon-schema.ts'
import { type Findings, formatFinding } from './findings.ts'
import { readConfig } from './read-config.ts'
import { readToml, type TomlDocument } from './toml.ts'

/** Where the daemon looks when no `--config` is given. */
export const DAEMON_CONFIG_FILE = '/etc/makiatto/makiatto.toml'

/** The daemon's configuration with every default filled in; keys as in the file, addresses parsed. */
export interface DaemonConfig extends DaemonFile {
  readonly file: string
  /** Lines about unknown keys. */
  readonly warnings: readonly string[]
}

/** Reads the daemon's configuration. Throws MAKI_CONFIG with all faults of the file. */
export async function loadDaemonConfig(
  file: string = DAEMON_CONFIG_FILE,
  options: { strict?: boolean | undefined } = {},
): Promise<DaemonConfig> {
  return checkDaemonConfig(await readDaemonFile(file), options)
}

/** The same for a document that was read before; pure. */
export function checkDaemonConfig(
  document: TomlDocument,
  options: { strict?: boolean | undefined } = {},
): DaemonConfig {
  const { values, findings } = readConfig(daemonSchema, document, options)
  checkWasmLimits(values, findings)
  findings.throwFaults()
  return { ...values, file: document.file, warnings: findings.warnings.map(formatFinding) }
}

function checkWasmLimits({ wasm }: DaemonFile, findings: Findings): void {
  const pairs = [
    ['default_timeout_ms', 'max_timeout_ms'],
    ['default_max_memory_mb', 'max_memory_mb'],
  ] as const
  for (const [usual, most] of pairs) {
    if (!findings.isSound(['wasm', usual]) || !findings.isSound(['wasm', most]) || wasm[usual] <= wasm[most]) continue
    findings.fault(['wasm', usual], `${wasm[usual]} is more than ${most}, which is ${wasm[most]}`)
  }
}

async function readDaemonFile(file: string): Promise<TomlDocument> {
  try {
    return await readToml(file)
  } catch (thrown) {
    if (thrown instanceof MakiError) throw thrown
    const { code } = thrown as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'it may not be read' : String(thrown)
    throw new MakiError('MAKI_CONFIG', `the daemon's configuration ${file} cannot be read: ${why}`, {
      cause: thrown,
      hint: 'Name another file with: makiatto run --config FILE\nmaki dev writes one for each of its nodes: .makiatto/node1/makiatto.toml',
    })
  }
}
