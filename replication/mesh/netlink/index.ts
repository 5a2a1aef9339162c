export {
  type Attribute,
  attribute,
  be32,
  listAttributes,
  nested,
  readAttributes,
  readText,
  readU32,
  textAttribute,
  u8,
  u16,
  u32,
} from './attributes.ts'
export { AF_INET, AF_INET6, type IpNetwork, ipBytes, parseNetwork } from './ip-bytes.ts'
export { type NetlinkMessage, NLM_ACK, NLM_CREATE, NLM_DUMP } from './message.ts'
export {
  NETLINK_GENERIC,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NetlinkError,
  type NetlinkRequest,
  NetlinkSocket,
} from './netlink-socket.ts'
export { openNetworkControl } from './network-control.ts'
