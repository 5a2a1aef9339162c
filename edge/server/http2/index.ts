export { BufferPool } from './buffer-pool.ts'
export type { Http2Context } from './http2-context.ts'
export { ServedConnection } from './served-connection.ts'
