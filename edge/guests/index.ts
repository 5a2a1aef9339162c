export * from '../guest-contract/index.ts'
export type { GuestCounts, PoolLimits } from './guest-pool.ts'
export { type GuestLimits, Guests, type GuestsOptions, type GuestsPorts } from './guests.ts'
export { createSiteServices, type SiteServicesOptions } from './site-services.ts'
