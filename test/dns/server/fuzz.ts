import { existsSync, readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createRandom } from '../../support/seeds.ts'
import { fuzz } from './fuzzing.ts'

/**
 * `npm run fuzz -- --messages 1000000 [--seed N]`: as many random messages as one has time for, in rounds that each can
 * be replayed with its seed. Prints how much longer than their queries answers were; exit code 1 when a promise broke.
 */
const { values } = parseArgs({ options: { messages: { type: 'string' }, seed: { type: 'string' } } })
const messages = Number(values.messages ?? 100_000)
const ROUND = 50_000
const first = Number(values.seed ?? 1)

const outcomes = new Map<string, number>()
const amplification = new Map<string, number>()
const startedMs = performance.now()
const DESCRIPTORS = '/proc/self/fd'
/** What the process holds: it is said after the first round, when all code is warm, and at the end. */
const describeProcess = (): string => {
  const files = existsSync(DESCRIPTORS) ? `, ${readdirSync(DESCRIPTORS).length} open files` : ''
  return `${(process.memoryUsage.rss() / 2 ** 20).toFixed(0)} MiB resident${files}`
}

let sent = 0
for (let seed = first; sent < messages && process.exitCode !== 1; seed++) {
  const count = Math.min(ROUND, messages - sent)
  const result = fuzz(createRandom(seed), count)
  sent += count
  for (const [name, times] of result.outcomes) outcomes.set(name, (outcomes.get(name) ?? 0) + times)
  for (const [kind, factor] of result.amplification)
    amplification.set(kind, Math.max(amplification.get(kind) ?? 0, factor))
  for (const broken of result.broken) console.error(`seed ${seed}: ${broken}`)
  if (result.broken.length > 0) process.exitCode = 1
  if (seed === first) console.log(`after ${sent} messages: ${describeProcess()}`)
}
const seconds = (performance.now() - startedMs) / 1000
console.log(`${sent} messages in ${seconds.toFixed(1)} s, ${describeProcess()}`)
console.log(`outcomes: ${[...outcomes].map(([name, times]) => `${name} ${times}`).join(', ')}`)
const factors = [...amplification].sort(([, a], [, b]) => b - a).map(([kind, factor]) => `${kind} ${factor.toFixed(2)}`)
console.log(`octets of a UDP answer for one of its query, at most: ${factors.join(', ')}`)
