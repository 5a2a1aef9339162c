import { MakiError } from '../../core/index.ts'

/** Which parts of a node run. */
export interface Parts {
  readonly dns: boolean
  readonly http: boolean
  /** The mesh: without it gossip and blobs listen where the configuration says. */
  readonly wireguard: boolean
}

const NAMES = ['dns', 'http'] as const

/**
 * From the flags of `makiatto run`; `--only` is of what visitors see. What the configuration switches off no flag switches
 * on. Throws MAKI_USAGE for a part that does not exist.
 */
export function parseParts(
  flags: {
    only?: string | undefined
    noDns?: boolean | undefined
    noHttp?: boolean | undefined
    noWireguard?: boolean | undefined
  },
  config: { readonly wireguard: { readonly enabled: boolean } },
): Parts {
  const only = flags.only?.split(',').map((name) => name.trim())
  const unknown = only?.find((name) => !(NAMES as readonly string[]).includes(name))
  if (unknown !== undefined) {
    throw new MakiError('MAKI_USAGE', `--only knows no part ${JSON.stringify(unknown)}`, {
      hint: `Parts are: ${NAMES.join(', ')}`,
    })
  }
  const runs = (name: (typeof NAMES)[number]) => only?.includes(name) ?? true
  return {
    dns: runs('dns') && flags.noDns !== true,
    http: runs('http') && flags.noHttp !== true,
    wireguard: flags.noWireguard !== true && config.wireguard.enabled,
  }
}
