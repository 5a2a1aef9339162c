import { isIPv4, isIPv6 } from 'node:net'
import { type AddressFamily, distanceKm, type NodeStandings, type NodeView, type Place } from '../../core/index.ts'
import { parseRdata, type Rdata } from '../rdata/index.ts'
import type { Located } from './locator.ts'

/** A node as far as choosing goes. */
export interface Candidate {
  readonly node: NodeView
  readonly address: Rdata
  /** From the client; undefined when the place of one of them is not known. */
  readonly distanceKm: number | undefined
}

/** Which nodes an answer names, best first, and which it would have named after them. */
export interface Choice {
  readonly chosen: readonly Candidate[]
  readonly others: readonly Candidate[]
}

/** Who can be chosen: nodes with what is known of them. Immutable, swapped whole. */
export class Steering {
  static readonly empty = new Steering([], new Map(), 1)

  readonly nodes: readonly NodeView[]
  readonly standings: NodeStandings
  /** How many addresses an answer has. */
  readonly answers: number

  constructor(nodes: readonly NodeView[], standings: NodeStandings, answers: number) {
    this.nodes = nodes
    this.standings = standings
    this.answers = answers
  }

  /** Empty only when no node has an address of the family. */
  choose(family: AddressFamily, located: Located): Choice {
    const all = this.nodes.flatMap((node) => {
      const address = addressOf(node, family)
      return address === undefined ? [] : [{ node, address, distanceKm: distance(node.place, located.place) }]
    })
    const open = all.filter(({ node }) => !node.drained)
    const ranked = (open.length > 0 ? open : all).sort(
      (a, b) => (a.distanceKm ?? Number.POSITIVE_INFINITY) - (b.distanceKm ?? Number.POSITIVE_INFINITY),
    )
    return { chosen: ranked.slice(0, this.answers), others: ranked.slice(this.answers) }
  }
}

const distance = (a: Place | null, b: Place | undefined): number | undefined =>
  a === null || b === undefined ? undefined : distanceKm(a, b)

function addressOf(node: NodeView, family: AddressFamily): Rdata | undefined {
  const address = node[family]
  if (address === null) return undefined
  if (family === 'ipv4') return isIPv4(address) ? parseRdata('A', address) : undefined
  return isIPv6(address) && !address.includes('%') ? parseRdata('AAAA', address) : undefined
}
