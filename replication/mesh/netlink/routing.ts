import { constants } from 'node:os'
import { MakiError } from '../../../core/index.ts'
import type { Link } from '../ports.ts'
import { attribute, nested, readAttributes, readText, readU32, textAttribute, u32 } from './attributes.ts'
import { AF_INET6, type IpNetwork } from './ip-bytes.ts'
import { type NetlinkMessage, NLM_ACK, NLM_CREATE, NLM_DUMP, NLM_EXCL, NLM_REPLACE } from './message.ts'
import { NetlinkError, type NetlinkRequest, type NetlinkSocket } from './netlink-socket.ts'

/** Links, addresses and routes: rtnetlink(7). */

const RTM_NEWLINK = 16
const RTM_DELLINK = 17
const RTM_GETLINK = 18
const RTM_NEWADDR = 20
const RTM_DELADDR = 21
const RTM_GETADDR = 22
const RTM_NEWROUTE = 24
const RTM_GETROUTE = 26
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_LINKINFO = 18
const IFLA_INFO_KIND = 1
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_FLAGS = 8
/** No duplicate address detection: the address is usable at once, and nobody else on a tunnel can have it. */
const IFA_F_NODAD = 0x02
const RTA_DST = 1
const RTA_OIF = 4
const RTA_METRICS = 8
const RTAX_MTU = 2
const IFF_UP = 1
const LINK_BYTES = 16
const ADDRESS_BYTES = 8
const ROUTE_BYTES = 12
const TABLE_MAIN = 254
/** What was looked up, not what was asked for. */
const RTM_F_FIB_MATCH = 0x2000
const PROTOCOL_STATIC = 4
const TYPE_UNICAST = 1
const SCOPE_UNIVERSE = 0
const { ENODEV, EEXIST, EADDRNOTAVAIL, EOPNOTSUPP, ENETUNREACH, EHOSTUNREACH, EINVAL, EACCES, EAFNOSUPPORT } =
  constants.errno

/** An interface with its name. */
export interface NamedLink extends Link {
  readonly name: string
}

/** An address that an interface has. */
export interface LinkAddress {
  readonly bytes: Buffer
  readonly bits: number
  /** 0 for one that is valid everywhere. */
  readonly scope: number
}

/** A route that somebody else made. */
export interface OtherRoute {
  /** The interface that it leads to; undefined where it forbids, or leads to many. */
  readonly index: number | undefined
}

const linkBody = (index: number, flags: number, change: number, ...more: readonly Buffer[]): Buffer => {
  const head = Buffer.alloc(LINK_BYTES)
  head.writeInt32LE(index, 4)
  head.writeUInt32LE(flags, 8)
  head.writeUInt32LE(change, 12)
  return Buffer.concat([head, ...more])
}

/** By name or index; undefined where there is none. */
export async function findLink(socket: NetlinkSocket, by: string | number): Promise<NamedLink | undefined> {
  const body = typeof by === 'number' ? linkBody(by, 0, 0) : linkBody(0, 0, 0, textAttribute(IFLA_IFNAME, by))
  const [answer] = (await unlessGone(socket.request({ type: RTM_GETLINK, flags: 0, body }))) ?? []
  return answer === undefined ? undefined : readLink(answer)
}

/** Reads what RTM_NEWLINK says; undefined for what is none. */
export function readLink({ type, body }: NetlinkMessage): NamedLink | undefined {
  if (type !== RTM_NEWLINK || body.length < LINK_BYTES) return undefined
  const attributes = readAttributes(body.subarray(LINK_BYTES))
  const info = attributes.get(IFLA_LINKINFO)
  return {
    index: body.readInt32LE(4),
    name: readText(attributes.get(IFLA_IFNAME)) ?? '',
    mtu: readU32(attributes.get(IFLA_MTU)) ?? 0,
    isUp: (body.readUInt32LE(8) & IFF_UP) !== 0,
    kind: info === undefined ? undefined : readText(readAttributes(info).get(IFLA_INFO_KIND)),
  }
}

/** Nothing where it is there. Rejects with MAKI_UNSUPPORTED where the kernel has no such kind. */
export async function addLink(socket: NetlinkSocket, name: string, kind: string): Promise<void> {
  const info = nested(IFLA_LINKINFO, textAttribute(IFLA_INFO_KIND, kind))
  const body = linkBody(0, 0, 0, textAttribute(IFLA_IFNAME, name), info)
  try {
    await socket.request({ type: RTM_NEWLINK, flags: NLM_CREATE | NLM_EXCL, body })
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error
    if (error.errno === EEXIST) return
    if (error.errno !== EOPNOTSUPP) throw error
    throw new MakiError('MAKI_UNSUPPORTED', `this kernel has no interfaces of the kind ${kind}`, { cause: error })
  }
}

/** Nothing where there is none. */
export async function deleteLink(socket: NetlinkSocket, name: string): Promise<void> {
  const body = linkBody(0, 0, 0, textAttribute(IFLA_IFNAME, name))
  await unlessGone(socket.request({ type: RTM_DELLINK, flags: 0, body }))
}

/** Changes what is named. */
export async function changeLink(
  socket: NetlinkSocket,
  index: number,
  { mtu, isUp }: { readonly mtu?: number; readonly isUp?: boolean },
): Promise<void> {
  const more = mtu === undefined ? [] : [attribute(IFLA_MTU, u32(mtu))]
  const body = linkBody(index, isUp ? IFF_UP : 0, isUp === undefined ? 0 : IFF_UP, ...more)
  await socket.request({ type: RTM_NEWLINK, flags: 0, body })
}

/** The IPv4 and IPv6 addresses of an interface. */
export async function listAddresses(socket: NetlinkSocket, index: number): Promise<readonly LinkAddress[]> {
  const answers = await socket.request({ type: RTM_GETADDR, flags: NLM_DUMP, body: Buffer.alloc(ADDRESS_BYTES) })
  return answers.flatMap(({ type, body }) => {
    if (type !== RTM_NEWADDR || body.length < ADDRESS_BYTES || body.readUInt32LE(4) !== index) return []
    const attributes = readAttributes(body.subarray(ADDRESS_BYTES))
    // Of a link between two, the one is ours and the other the neighbour's.
    const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS)
    return bytes === undefined ? [] : [{ bytes, bits: body.readUInt8(1), scope: body.readUInt8(3) }]
  })
}

/** Gives an interface an address, or takes it away; nothing where it is so already. */
export async function changeAddress(
  socket: NetlinkSocket,
  index: number,
  { bytes, bits }: Pick<LinkAddress, 'bytes' | 'bits'>,
  how: 'add' | 'remove',
): Promise<void> {
  const head = Buffer.alloc(ADDRESS_BYTES)
  const isIpv6 = bytes.length === 16
  head.writeUInt8(isIpv6 ? AF_INET6 : 2, 0)
  head.writeUInt8(bits, 1)
  head.writeUInt32LE(index, 4)
  const flags = isIpv6 && how === 'add' ? [attribute(IFA_FLAGS, u32(IFA_F_NODAD))] : []
  const body = Buffer.concat([head, attribute(IFA_LOCAL, bytes), attribute(IFA_ADDRESS, bytes), ...flags])
  const request: NetlinkRequest =
    how === 'add' ? { type: RTM_NEWADDR, flags: NLM_CREATE | NLM_REPLACE, body } : { type: RTM_DELADDR, flags: 0, body }
  await unlessGone(underlaid(socket.request(request), bytes), how === 'add' ? [EEXIST] : [EADDRNOTAVAIL])
}

/**
 * A route in the main table that leads to an interface; one that is there already stays. Resolves with the route that leads the same
 * network elsewhere, and has its place: nothing is changed then.
 */
export async function addRoute(
  socket: NetlinkSocket,
  index: number,
  network: IpNetwork,
): Promise<OtherRoute | undefined> {
  const chosen = await matchRoute(socket, network)
  if (chosen !== undefined) return chosen.index === index ? undefined : chosen
  // One that is there and was not chosen forbids, or a longer one hides it.
  const there = await listRoutes(socket, network)
  const other = there.find((route) => route.index !== index)
  if (other !== undefined || there.length > 0) return other
  const body = Buffer.concat([routeHead(network), attribute(RTA_DST, network.bytes), attribute(RTA_OIF, u32(index))])
  await underlaid(socket.request({ type: RTM_NEWROUTE, flags: NLM_CREATE | NLM_EXCL, body }), network.bytes)
  return undefined
}

/** Whose route the kernel chooses for a network, if it is one for just that network. */
async function matchRoute(socket: NetlinkSocket, network: IpNetwork): Promise<OtherRoute | undefined> {
  const head = routeHead(network, false)
  head.writeUInt8(network.bytes.length * 8, 1)
  head.writeUInt32LE(RTM_F_FIB_MATCH, 8)
  const body = Buffer.concat([head, attribute(RTA_DST, network.bytes)])
  const answers = await unlessUnreachable(socket.request({ type: RTM_GETROUTE, flags: NLM_ACK, body }))
  return answers?.flatMap((answer) => readRoute(answer, network) ?? []).at(0)
}

/** The routes of the main table for just this network. */
async function listRoutes(socket: NetlinkSocket, network: IpNetwork): Promise<readonly OtherRoute[]> {
  const body = Buffer.alloc(ROUTE_BYTES)
  body.writeUInt8(network.family, 0)
  const answers = await socket.request({ type: RTM_GETROUTE, flags: NLM_DUMP, body })
  return answers.flatMap((answer) => readRoute(answer, network) ?? [])
}

function readRoute({ type, body }: NetlinkMessage, { family, bits, bytes }: IpNetwork): OtherRoute | undefined {
  if (type !== RTM_NEWROUTE || body.length < ROUTE_BYTES) return undefined
  if (body.readUInt8(0) !== family || body.readUInt8(1) !== bits || body.readUInt8(4) !== TABLE_MAIN) return undefined
  const attributes = readAttributes(body.subarray(ROUTE_BYTES))
  if (attributes.get(RTA_DST)?.equals(bytes) !== true) return undefined
  const isThrough = body.readUInt8(7) === TYPE_UNICAST
  return { index: isThrough ? readU32(attributes.get(RTA_OIF)) : undefined }
}

/** Where packets to an address leave, and how long they may be as far as the route says; undefined where none leads there. */
export async function findRoute(
  socket: NetlinkSocket,
  to: IpNetwork,
): Promise<{ readonly index: number; readonly mtu: number | undefined } | undefined> {
  const body = Buffer.concat([routeHead(to, false), attribute(RTA_DST, to.bytes)])
  const answers = await unlessUnreachable(socket.request({ type: RTM_GETROUTE, flags: NLM_ACK, body }))
  const answer = answers?.find(({ type, body }) => type === RTM_NEWROUTE && body.length >= ROUTE_BYTES)
  if (answer === undefined) return undefined
  const attributes = readAttributes(answer.body.subarray(ROUTE_BYTES))
  const index = readU32(attributes.get(RTA_OIF))
  const metrics = attributes.get(RTA_METRICS)
  const mtu = metrics === undefined ? undefined : readU32(readAttributes(metrics).get(RTAX_MTU))
  return index === undefined ? undefined : { index, mtu }
}

function routeHead({ family, bits }: IpNetwork, isNew = true): Buffer {
  const head = Buffer.alloc(ROUTE_BYTES)
  head.writeUInt8(family, 0)
  head.writeUInt8(bits, 1)
  if (!isNew) return head
  head.writeUInt8(TABLE_MAIN, 4)
  head.writeUInt8(PROTOCOL_STATIC, 5)
  head.writeUInt8(SCOPE_UNIVERSE, 6)
  head.writeUInt8(TYPE_UNICAST, 7)
  return head
}

/** Rejects with MAKI_UNSUPPORTED where the system is set up to have no IPv6. */
async function underlaid<Answer>(asked: Promise<Answer>, bytes: Uint8Array): Promise<Answer> {
  try {
    return await asked
  } catch (error) {
    const isOff = error instanceof NetlinkError && [EACCES, EOPNOTSUPP, EAFNOSUPPORT].includes(error.errno)
    if (!isOff || bytes.length !== 16) throw error
    throw new MakiError(
      'MAKI_UNSUPPORTED',
      'IPv6 is switched off on this machine, and addresses of the mesh are IPv6',
      {
        cause: error,
        hint: 'Switch it on: sysctl -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0, and take ipv6.disable=1 from the kernel command line.',
      },
    )
  }
}

/** Undefined where no route leads there, or one forbids. */
const unlessUnreachable = <Answer>(asked: Promise<Answer>): Promise<Answer | undefined> =>
  unlessGone(asked, [ENETUNREACH, EHOSTUNREACH, EINVAL, EACCES])

/** Undefined where the kernel says that there is no such thing. */
async function unlessGone<Answer>(asked: Promise<Answer>, errnos: readonly number[] = []): Promise<Answer | undefined> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof NetlinkError && [ENODEV, ...errnos].includes(error.errno)) return undefined
    throw error
  }
}
