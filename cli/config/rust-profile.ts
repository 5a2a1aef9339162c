import { MakiError } from '../../core/index.ts'
import type { TomlDocument } from './toml.ts'

/**
 * Refuses a profile of the Makiatto that was written in Rust (0.6 and before), which has the same default path: machines, or
 * an empty list of them, and no cluster. Its servers speak another language, so no line added to it would make it work.
 * Throws MAKI_CONFIG.
 */
export function refuseRustProfile(file: string, { values }: TomlDocument): void {
  const { cluster, machines } = values
  if (cluster !== undefined || !Array.isArray(machines) || !machines.every(isRustMachine)) return
  throw new MakiError(
    'MAKI_CONFIG',
    `${file} is a profile of the Makiatto that was written in Rust: it lists machines, and no cluster`,
    {
      hint: `Leave it to the maki that wrote it, and begin another one here: --profile FILE, or move it away:
  mv ${quoteWord(file)} ${quoteWord(`${file}.rust`)}
What moves over and how: docs/coming-from-rust.md`,
    },
  )
}

/** Each has a WireGuard key there, and never what only this program writes. */
const isRustMachine = (machine: unknown): boolean =>
  typeof machine === 'object' &&
  machine !== null &&
  'wg_public_key' in machine &&
  !('control' in machine || 'host_key' in machine)

const quoteWord = (text: string): string => (/^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)
