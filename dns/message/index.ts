export type { Asker, ClientSubnet, Transport } from './asker.ts'
export { cutResponse, finishResponse } from './finish-response.ts'
export {
  buildResponse,
  HEADER_OCTETS,
  type Provenance,
  type Query,
  type Response,
  readQuery,
} from './message.ts'
export { ServerCookies } from './server-cookie.ts'
