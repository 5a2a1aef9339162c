export { finishResponse, limitOf, type Transport } from './finish-response.ts'
export {
  buildResponse,
  type Edns,
  HEADER_OCTETS,
  type Header,
  type Query,
  type Question,
  type ReadQuery,
  type Response,
  readQuery,
} from './message.ts'
