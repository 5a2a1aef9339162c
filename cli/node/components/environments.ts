import { asMakiError, type Log, sealPurpose } from '../../../core/index.ts'
import type { GrantedSeals } from '../../../replication/index.ts'
import type { EdgeQuestion } from '../edge-questions.ts'

export type EnvironmentQuestion = Extract<EdgeQuestion, { kind: 'environment' }>

/**
 * Opens the environment of a component. Null while this node was not given the key of a value, and where a value was sealed for
 * another place than this one: whoever copies a box gets nothing out of it. No value is ever logged.
 */
export function openEnvironment(
  seals: Pick<GrantedSeals, 'open'>,
  { domain, path, env }: EnvironmentQuestion,
  log: Log,
): { readonly env: Readonly<Record<string, string>> } | null {
  const opened: [string, string][] = []
  for (const [name, sealed] of Object.entries(env)) {
    try {
      const bytes = seals.open(sealPurpose.env(domain, path, name), sealed)
      opened.push([name, new TextDecoder('utf-8', { fatal: true }).decode(bytes)])
    } catch (error) {
      const { code } = asMakiError(error)
      const event = code === 'MAKI_NOT_FOUND' ? 'environment.not-granted' : 'environment.not-opened'
      log.warn(event, { domain, path, name, code })
      return null
    }
  }
  return { env: Object.fromEntries(opened) }
}
