import {
  type CertificateName,
  type CertificateView,
  type Change,
  type ChangeOf,
  compileEffects,
  type Entry,
  encodeBase32,
  type HeldCertificate,
  type HostFacts,
  type Hostname,
  type MemberKey,
  type NodeName,
  type OperationId,
  type OwnerName,
  type SealEpochKey,
  StateTable,
} from '../../../core/index.ts'

export const NOW = 1_800_000_000_000
export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
export const MAIN = 'https://acme.example/directory'
export const OTHER = 'https://other.example/directory'

const bytes = (number: number) =>
  Uint8Array.from({ length: 32 }, (_, i) => (number * 31 + i * 7 + (number >> 8)) & 0xff)
export const nodeKey = (number: number): MemberKey => encodeBase32(bytes(number)) as MemberKey
export const certificateId = (number: number): OperationId => encodeBase32(bytes(number + 1000)) as OperationId
export const cert = (name: string): CertificateName => name as CertificateName
export const host = (name: string): Hostname => name as Hostname

const EPOCH = nodeKey(77) as string as SealEpochKey
const OPERATOR = nodeKey(99)
export const SEALED = { epoch: EPOCH, box: 'AA' }

/** A state that changes are written into as one author after another says them: the greatest stamp wins. */
export class TestState extends StateTable {
  #counter = 0

  say(changes: readonly Change[], author: MemberKey = OPERATOR, wallMs: number = NOW): this {
    const stamp = { wallMs, counter: this.#counter++ }
    const { keys, removedScopes } = compileEffects({ author, changes, stamp })
    const entries: [string, Entry | null][] = []
    for (const scope of removedScopes) for (const { key } of this.scope(scope)) entries.push([key, null])
    for (const [key, { value }] of keys) {
      const operation = certificateId(this.#counter)
      entries.push([key, value === undefined ? null : { key, value, operation, author, stamp }])
    }
    this.apply({ entries, touches: [] })
    return this
  }

  node(number: number, fields: Partial<ChangeOf<'node.join'>> = {}): this {
    const change: Change = {
      kind: 'node.join',
      key: nodeKey(number),
      name: `n${number}` as NodeName,
      addresses: { ipv4: `192.0.2.${number}`, ipv6: null },
      place: null,
      nameserver: true,
      drained: false,
      ...fields,
    }
    return this.say([change])
  }

  domain(domain: string, ...aliases: readonly string[]): this {
    return this.say([
      { kind: 'domain.set', domain: host(domain), spa: false, onConcurrent: 'latest', previews: true },
      ...aliases.map((alias): Change => ({ kind: 'alias.set', domain: host(domain), host: host(alias) })),
    ])
  }

  record(domain: string, name: string, type: string, ...values: string[]): this {
    return this.say([{ kind: 'record.set', domain: host(domain), name: name as OwnerName, type, ttl: 300, values }])
  }
}

/** A cluster of three nodes, and whatever else is said. */
export const threeNodes = (): TestState => new TestState().node(1).node(2).node(3)

type Told = Partial<HostFacts> | HostFacts['pointing']

export interface ViewOptions extends Partial<Omit<CertificateView, 'state' | 'facts' | 'held'>> {
  readonly facts?: Readonly<Record<string, Told>>
  readonly held?: readonly HeldCertificate[]
}

/** What node 1 sees of a state; hosts that nothing is told of were not looked at. */
export function viewOf(state: StateTable, options: ViewOptions = {}): CertificateView {
  const { facts = {}, held = [], ...others } = options
  const nowMs = others.nowMs ?? NOW
  return {
    state,
    self: nodeKey(1),
    up: new Set([nodeKey(1), nodeKey(2), nodeKey(3)]),
    nowMs,
    directories: [MAIN],
    renewals: new Map(),
    exposedAccounts: new Set(),
    running: new Set(),
    ...others,
    facts: (name) => {
      const told = facts[name]
      if (told === undefined) return undefined
      const some = typeof told === 'string' ? { pointing: told } : told
      return {
        pointing: 'unknown',
        found: 'its name servers are ns1.example.net',
        caa: 'none',
        foundMs: nowMs,
        ...some,
      }
    },
    held: new Map(held.map((one) => [one.name, one])),
  }
}

/** A certificate of ninety days that was issued now. */
export function heldFor(names: readonly string[], options: Partial<HeldCertificate> = {}): HeldCertificate {
  const [first = ''] = names
  return {
    name: cert(first),
    names: names.map(cert).sort(),
    id: certificateId(1),
    notBeforeMs: NOW,
    notAfterMs: NOW + 90 * DAY,
    directory: MAIN,
    exposed: false,
    ...options,
  }
}
