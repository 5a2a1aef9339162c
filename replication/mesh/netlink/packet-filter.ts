import { constants } from 'node:os'
import { MakiError } from '../../../core/index.ts'
import type { MeshFilter } from '../ports.ts'
import { attribute, be32, nested, textAttribute } from './attributes.ts'
import { byInterface, type Expression, ipv6Network, isAnswer, isPing, verdict } from './filter-rules.ts'
import { parseNetwork } from './ip-bytes.ts'
import { NLM_ACK, NLM_APPEND, NLM_CREATE } from './message.ts'
import { NetlinkError, type NetlinkRequest, type NetlinkSocket } from './netlink-socket.ts'

/** The packet filter of the mesh in nftables: nfnetlink, a table of our own beside those of the owner. */

const SUBSYSTEM = 10
const BATCH_BEGIN = 0x10
const BATCH_END = 0x11
const NEW_TABLE = 0
const DELETE_TABLE = 2
const NEW_CHAIN = 3
const NEW_RULE = 6
const DELETE_RULE = 8
const NFPROTO_INET = 1
const HOOKS = { input: 1, forward: 2 } as const
/** Before the filters of most, who may only forbid more: what one table drops no other brings back. */
const PRIORITY = -10
const POLICY_ACCEPT = 1
const { ENOENT, EINVAL, EOPNOTSUPP, EPROTONOSUPPORT } = constants.errno

/** The table of an interface. */
export const filterTableOf = (interfaceName: string): string => `makiatto_${interfaceName}`

/** The rules of a filter by chain, in order. Pure. */
export function buildRules(
  filter: MeshFilter,
): Readonly<Record<keyof typeof HOOKS, readonly (readonly Expression[])[]>> {
  const { interface: name } = filter
  const mesh = parseNetwork(filter.mesh)
  const fromPeers = [...byInterface('input', name), ...ipv6Network('source', parseNetwork(filter.peers))]
  return {
    input: [
      [...fromPeers, ...isAnswer(), ...verdict('accept')],
      [...fromPeers, ...isPing(), ...verdict('accept')],
      [...fromPeers, ...verdict('drop')],
      // Else a neighbour on the provider's network routes packets to an address of the mesh past WireGuard.
      [
        ...byInterface('input', name, false),
        ...byInterface('input', 'lo', false),
        ...ipv6Network('destination', mesh),
        ...verdict('drop'),
      ],
      // From there nothing of the mesh comes; a datagram of WireGuard would have its answers go into the tunnel.
      [
        ...byInterface('input', name, false),
        ...byInterface('input', 'lo', false),
        ...ipv6Network('source', mesh),
        ...verdict('drop'),
      ],
    ],
    forward: [
      [...byInterface('input', name), ...verdict('drop')],
      [...byInterface('output', name), ...verdict('drop')],
    ],
  }
}

/** Puts the filter in the place of the one before, in one transaction. Rejects with MAKI_UNSUPPORTED where the kernel has no nftables. */
export async function setFilter(socket: NetlinkSocket, filter: MeshFilter): Promise<void> {
  const table = filterTableOf(filter.interface)
  const rules = buildRules(filter)
  const fill = (['input', 'forward'] as const).flatMap((chain) => [
    newChain(table, chain),
    // A chain changes its rules at once. One that takes the place of another can let a packet through that has passed the
    // new one when it did not hold yet, and comes to the old one when it does not hold any more.
    { type: DELETE_RULE, flags: 0, attributes: [textAttribute(1, table), textAttribute(2, chain)] },
    ...rules[chain].map((expressions) => newRule(table, chain, expressions)),
  ])
  try {
    await transact(socket, [newTable(table), ...fill])
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error
    // Its chains may hang elsewhere: those of another version. What is to be deleted must be there.
    const afresh = { type: DELETE_TABLE, flags: 0, attributes: [textAttribute(1, table)] }
    await transact(socket, [newTable(table), afresh, newTable(table), ...fill]).catch(refuse)
  }
}

/** Nothing where there is none. */
export async function removeFilter(socket: NetlinkSocket, interfaceName: string): Promise<void> {
  const attributes = [textAttribute(1, filterTableOf(interfaceName))]
  try {
    await transact(socket, [{ type: DELETE_TABLE, flags: 0, attributes }])
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errno !== ENOENT) refuse(error)
  }
}

interface TableChange {
  readonly type: number
  readonly flags: number
  readonly attributes: readonly Buffer[]
}

const newTable = (table: string): TableChange => ({
  type: NEW_TABLE,
  flags: NLM_CREATE,
  attributes: [textAttribute(1, table)],
})

function newChain(table: string, chain: keyof typeof HOOKS): TableChange {
  const hook = nested(4, attribute(1, be32(HOOKS[chain])), attribute(2, be32(PRIORITY)))
  const policy = attribute(5, be32(POLICY_ACCEPT))
  const attributes = [textAttribute(1, table), textAttribute(3, chain), hook, policy, textAttribute(7, 'filter')]
  return { type: NEW_CHAIN, flags: NLM_CREATE, attributes }
}

const newRule = (table: string, chain: string, expressions: readonly Expression[]): TableChange => ({
  type: NEW_RULE,
  flags: NLM_CREATE | NLM_APPEND,
  attributes: [textAttribute(1, table), textAttribute(2, chain), nested(4, ...expressions)],
})

async function transact(socket: NetlinkSocket, changes: readonly TableChange[]): Promise<void> {
  const requests: NetlinkRequest[] = changes.map(({ type, flags, attributes }) => ({
    type: (SUBSYSTEM << 8) | type,
    flags: flags | NLM_ACK,
    body: Buffer.concat([head(NFPROTO_INET, 0), ...attributes]),
  }))
  const edge = (type: number): NetlinkRequest => ({ type, flags: 0, body: head(0, SUBSYSTEM) })
  await socket.batch([edge(BATCH_BEGIN), ...requests, edge(BATCH_END)])
}

/** Throws what it was told, or MAKI_UNSUPPORTED where that says that the kernel cannot. */
function refuse(error: unknown): never {
  const isUnable = error instanceof NetlinkError && [EINVAL, EOPNOTSUPP, EPROTONOSUPPORT, ENOENT].includes(error.errno)
  throw isUnable ? withoutFilters(error) : error
}

/** What lacks, in words. */
export const withoutFilters = (cause: NetlinkError): MakiError =>
  new MakiError('MAKI_UNSUPPORTED', 'this kernel has no nftables, or not all that the mesh needs of it', {
    cause,
    hint: 'External peers need a packet filter: nftables, with connection tracking (CONFIG_NF_TABLES_INET, CONFIG_NFT_CT).',
  })

/** struct nfgenmsg; the resource is in the byte order of the network. */
function head(family: number, resource: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt8(family, 0)
  bytes.writeUInt16BE(resource, 2)
  return bytes
}
