export type { Asker, ClientSubnet, Transport } from './asker.ts'
export type { Cookie } from './edns-options.ts'
export { cutResponse, finishResponse, limitOf } from './finish-response.ts'
export {
  buildResponse,
  type Edns,
  HEADER_OCTETS,
  type Header,
  type Provenance,
  type Query,
  type Question,
  type ReadQuery,
  type Response,
  readQuery,
} from './message.ts'
export { type CookieStanding, type JudgedCookie, ServerCookies } from './server-cookie.ts'
