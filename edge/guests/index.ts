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
