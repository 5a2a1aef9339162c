export type { Answer, Ask, GuestServices, OutgoingRequest, SocketEnd, Waiting } from './asks.ts'
export type {
  GuestFailure,
  GuestFile,
  GuestInput,
  GuestMethod,
  GuestOutcome,
  GuestRequest,
  GuestResponse,
  GuestRun,
  GuestRunner,
  GuestSpec,
  GuestTransformed,
  NodeContext,
  PreparedComponent,
} from './guest.ts'
export type { GuestCounts, PoolLimits } from './guest-pool.ts'
export { type GuestLimits, Guests, type GuestsOptions, type GuestsPorts } from './guests.ts'
export { createSiteServices, type NetworkAsk, type NetworkServices, type SiteServicesOptions } from './site-services.ts'
