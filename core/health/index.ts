export type { AddressFamily, NodeStanding, NodeStandings, Standing } from './standing.ts'
