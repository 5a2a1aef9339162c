import type { MemberKey } from '../ids.ts'
import type { Service } from './probe-target.ts'
import type { AddressFamily, Standing } from './standing.ts'

/** What a verdict rests on; `nobody`: nobody has seen it fail or answer lately, and it is as it was. */
export type Basis = 'majority' | 'own eyes' | 'nobody'

/** Fresh observers of one address; what they cannot tell they do not say. */
export interface Votes {
  readonly up: number
  readonly down: number
}

/** What a node concludes of one service at one public address, and why. */
export interface AddressVerdict {
  readonly key: MemberKey
  readonly family: AddressFamily
  readonly service: Service
  readonly address: string
  readonly standing: Standing
  /** When it got this standing, on the clock that the monitor is told. */
  readonly sinceMs: number
  /** Undefined while it is up. From another node it is that node's word: cleaned and short. */
  readonly reason: string | undefined
  readonly votes: Votes
  readonly basis: Basis
}
