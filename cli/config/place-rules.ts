import * as v from 'valibot'
import { isPlace, MakiError, parseNodeName } from '../../core/index.ts'
import { countryCenters, findNetwork, type Network, type PlaceRule, type PlaceTarget } from '../../dns/index.ts'
import type { Findings } from './findings.ts'
import { readConfig } from './read-config.ts'
import { parseToml, readToml, type TomlDocument } from './toml.ts'
import { parsedBy, within } from './values.ts'

const country = v.pipe(
  v.string(),
  v.transform((text) => text.toUpperCase()),
  v.check((code) => countryCenters.has(code), 'a country is expected, by the two letters of ISO 3166-1, like "DE"'),
)

/** The file of `[dns] geo_override`. */
const placeRulesSchema = v.object({
  network: v.optional(
    v.array(
      v.object({
        cidr: parsedBy(parseCidr),
        latitude: v.optional(within(-90, 90)),
        longitude: v.optional(within(-180, 180)),
        country: v.optional(country),
        node: v.optional(parsedBy(parseNodeName)),
      }),
    ),
    [],
  ),
})

type NetworkEntry = v.InferOutput<typeof placeRulesSchema>['network'][number]

/** Reads the file of `geo_override`. Throws MAKI_CONFIG with all faults of the file, or because it cannot be read. */
export async function readPlaceRules(file: string): Promise<readonly PlaceRule[]> {
  let document: TomlDocument
  try {
    document = await readToml(file)
  } catch (thrown) {
    if (thrown instanceof MakiError) throw thrown
    const { code } = thrown as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'it may not be read' : String(thrown)
    throw new MakiError('MAKI_CONFIG', `${file}, which says where networks are, cannot be read: ${why}`, {
      cause: thrown,
      hint: 'Correct geo_override under [dns], or make the file. See docs/geography.md.',
    })
  }
  return checkPlaceRules(document)
}

/** The same for text; pure. */
export const parsePlaceRules = (text: string, file: string): readonly PlaceRule[] =>
  checkPlaceRules(parseToml(text, file))

/** Unknown keys are faults: nobody reads the warnings of a file that is read while the daemon runs. */
function checkPlaceRules(document: TomlDocument): readonly PlaceRule[] {
  const { values, findings } = readConfig(placeRulesSchema, document, { strict: true })
  const entries = Array.isArray(values.network) ? values.network : []
  const seen = new Map<string, number>()
  const rules = entries.flatMap((entry, i) => {
    const path = ['network', i] as const
    const target = isTable(entry) ? findTarget(entry, i, findings) : undefined
    if (target === undefined || !findings.isSound(path)) return []
    const network = entry.cidr
    const name = `${network.octets.join('.')}/${network.bits}`
    const first = seen.get(name)
    if (first !== undefined)
      findings.fault([...path, 'cidr'], `the same network as on line ${findings.line(['network', first, 'cidr'])}`)
    seen.set(name, i)
    return [{ network, target }]
  })
  findings.throwFaults()
  return rules
}

/** The fields of `entry` may have faults of their own: only whether they are there is looked at before they are used. */
function findTarget(entry: NetworkEntry, i: number, findings: Findings): PlaceTarget | undefined {
  const path = ['network', i] as const
  const { latitude, longitude, country, node } = entry
  const hasPlace = latitude !== undefined || longitude !== undefined
  const said = [hasPlace, country !== undefined, node !== undefined].filter(Boolean).length
  if (said !== 1) {
    // A key that is not known is told of, and is likely to be what is missing.
    if (said === 0 && !findings.isSound(path) && findings.isSound([...path, 'cidr'])) return undefined
    const what = said === 0 ? 'it does not say where the network is' : 'it says more than once where the network is'
    findings.fault(path, `${what}: latitude and longitude, country, or node is expected`)
    return undefined
  }
  if (country !== undefined) return { kind: 'country', country }
  if (node !== undefined) return { kind: 'node', node }
  const place = { latitude, longitude }
  if (isPlace(place)) return { kind: 'place', place: { ...place } }
  const missing = latitude === undefined ? 'latitude' : longitude === undefined ? 'longitude' : undefined
  // Neither is missing: the one that is no number within its bounds has its fault already.
  if (missing !== undefined) findings.fault(path, `${missing} is missing`)
  return undefined
}

/** The schema lets anything through that it has a fault for. */
const isTable = (entry: unknown): boolean => typeof entry === 'object' && entry !== null

function parseCidr(text: string): Network {
  const network = findNetwork(text)
  if (network !== undefined) return network
  throw new MakiError('MAKI_INVALID', 'a network is expected, like "203.0.113.0/24", with no bits set after its prefix')
}
