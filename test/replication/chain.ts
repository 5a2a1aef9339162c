import {
  type Change,
  type ClusterId,
  createOperation,
  nextStamp,
  type Operation,
  type OwnerName,
  type Signer,
} from '../../core/index.ts'
import { createTestCluster, domains } from '../support/histories.ts'

export const cluster = createTestCluster()

export function recordChange(number: number, name = `r${number % 50}`): Change {
  const values = [`192.0.2.${number % 250}`]
  return {
    kind: 'record.set',
    domain: domains[0] as (typeof domains)[number],
    name: name as OwnerName,
    type: 'A',
    ttl: 300 + number,
    values,
  }
}

export function follow(
  heads: readonly Operation[],
  changes: readonly Change[],
  options: { signer?: Signer; wallMs?: number; cluster?: ClusterId } = {},
): Operation {
  const stamps = heads.map(({ stamp }) => stamp)
  return createOperation(options.signer ?? cluster.operator, options.cluster ?? cluster.id, {
    stamp: nextStamp(options.wallMs ?? 0, stamps),
    heads: heads.map(({ id }) => id),
    changes,
  })
}

/** The creation of the test cluster and a line of operations after it. */
export function createChain(length: number): Operation[] {
  const chain = [cluster.creation]
  while (chain.length < length) chain.push(follow(chain.slice(-1), [recordChange(chain.length)]))
  return chain
}
