export { findRange, matchesStrongly, matchesWeakly } from './conditional.ts'
export { mediaHeaders } from './media.ts'
export { decodePath, encodePath, findHost, findTarget, type RequestTarget, type SitePath } from './request-target.ts'
