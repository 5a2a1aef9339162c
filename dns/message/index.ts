export type { Asker, ClientSubnet, Transport } from './asker.ts'
export { finishResponse, limitOf } from './finish-response.ts'
export {
  buildResponse,
  type Cookie,
  type Edns,
  HEADER_OCTETS,
  type Header,
  type Query,
  type Question,
  type ReadQuery,
  type Response,
  readQuery,
} from './message.ts'
