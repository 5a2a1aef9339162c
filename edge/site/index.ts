export { findLocalDomain } from './local-host.ts'
export { type Resolution, resolvePath, resolveUnknown } from './resolve.ts'
export { SiteProjection } from './site-projection.ts'
export { type Site, type SiteRelease, SiteTable } from './site-table.ts'
