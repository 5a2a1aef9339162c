import { registerHooks } from 'node:module'
import type * as core from '../../../core/health/index.ts'
import type { Trouble } from './laws.ts'

/** A mistake made on purpose in the rules of health, and the law that should notice. */
export interface Mutant {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
  /** The number of the law. */
  readonly law: string
  /** What it takes to see it. */
  readonly size: number
  readonly trouble: Trouble
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'half is a majority',
    file: 'vote.ts',
    find: 'nodes !== 2 && heard * 2 > nodes',
    replace: 'nodes !== 2 && heard * 2 >= nodes',
    law: '2',
    size: 4,
    trouble: 'cuts',
  },
  {
    name: 'two nodes follow votes',
    file: 'vote.ts',
    find: 'nodes !== 2 && heard * 2 > nodes',
    replace: 'heard * 2 > nodes',
    law: '2',
    size: 2,
    trouble: 'cuts',
  },
  {
    name: 'a tie is down',
    file: 'vote.ts',
    find: 'down: down > up',
    replace: 'down: down > 0 && down >= up',
    law: '2',
    size: 3,
    trouble: 'cuts',
  },
  {
    name: 'one voice is enough',
    file: 'vote.ts',
    find: 'down: down > up',
    replace: 'down: down > 0',
    law: '6',
    size: 5,
    trouble: 'liars',
  },
  {
    name: 'all must agree',
    file: 'vote.ts',
    find: 'down: down > up',
    replace: 'down: down > 0 && up === 0',
    law: '6',
    size: 5,
    trouble: 'liars',
  },
  {
    name: 'a node has a vote about itself',
    file: 'watch-plan.ts',
    find: 'key !== target && heard.has(key))',
    replace: 'heard.has(key))',
    law: '6',
    size: 4,
    trouble: 'liars',
  },
  {
    name: 'a minority speaks',
    file: 'health-monitor.ts',
    find: '!this.#members.has(this.#self) || !this.#followsMajority(heard)',
    replace: '!this.#members.has(this.#self)',
    law: '2',
    size: 5,
    trouble: 'cuts',
  },
  {
    name: 'a minority follows what it hears',
    file: 'health-monitor.ts',
    find: 'return hearsMajority(heard.size, this.#members.size)',
    replace: 'return this.#members.size !== 2 && heard.size > 0',
    law: '2',
    size: 4,
    trouble: 'cuts',
  },
  {
    name: 'where all are down, all are alike',
    file: 'build-standings.ts',
    find: 'isNoneLeft && seen(verdict)',
    replace: '(false as boolean)',
    law: '2',
    size: 4,
    trouble: 'cuts',
  },
  {
    name: 'a node never looks at itself',
    file: 'health-monitor.ts',
    find: "target.service === 'web' ? [target] : []",
    replace: '[]',
    law: '1',
    size: 2,
    trouble: 'deaths',
  },
  {
    name: 'no damping',
    file: 'damper.ts',
    find: 'nowMs < this.#holdUntilMs',
    replace: 'false',
    law: '4',
    size: 3,
    trouble: 'flaps',
  },
  {
    name: 'the hold never doubles',
    file: 'damper.ts',
    find: 'Math.min(2 * this.#holdMs, maxMs)',
    replace: 'firstMs',
    law: '4',
    size: 3,
    trouble: 'flaps',
  },
  {
    name: 'the hold grows without end',
    file: 'damper.ts',
    find: 'Math.min(2 * this.#holdMs, maxMs)',
    replace: '8 * this.#holdMs',
    law: '5',
    size: 3,
    trouble: 'flaps',
  },
  {
    name: 'a verdict of up is held too',
    file: 'damper.ts',
    find: "votedDown ? 'down'",
    replace: "votedDown && nowMs - this.#sinceMs > 60_000 ? 'down'",
    law: '1',
    size: 3,
    trouble: 'deaths',
  },
  {
    name: 'an observation never grows old',
    file: 'observer.ts',
    find: 'nowMs - known.atMs > maxAgeMs',
    replace: 'false',
    law: '2',
    size: 3,
    trouble: 'processes',
  },
  {
    name: 'no way to a family counts as down',
    file: 'observer.ts',
    find: "this.#unable = outcome === 'unable'",
    replace: "if (outcome === 'unable') outcome = 'down'",
    law: '2',
    size: 3,
    trouble: 'processes',
  },
  {
    name: 'who falls silent is still heard',
    file: 'health-monitor.ts',
    find: 'if (!fresh) this.#heard.delete(key)',
    replace: 'if (false as boolean) this.#heard.delete(key)',
    law: '2',
    size: 3,
    trouble: 'isolation',
  },
  {
    name: 'one failure is enough',
    file: 'observer.ts',
    find: "if (outcome === 'down') return this.#thresholds.failures",
    replace: "if (outcome === 'down') return 1",
    law: '2',
    size: 3,
    trouble: 'isolation',
  },
]

const root = new URL('../../../core/health/', import.meta.url).href
const hooks = registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context)
    const query = context.parentURL === undefined ? '' : new URL(context.parentURL).search
    const inside = resolved.url.startsWith(root) && query.startsWith('?mutant=') && !resolved.url.includes('?')
    return inside ? { ...resolved, url: resolved.url + query } : resolved
  },
  load(url, context, next) {
    const loaded = next(url, context)
    const mutant = MUTANTS.find(({ name, file }) => url === `${root}${file}?mutant=${encodeURIComponent(name)}`)
    if (mutant === undefined) return loaded
    const source = Buffer.from(loaded.source as Uint8Array).toString()
    if (!source.includes(mutant.find))
      throw new Error(`the mutant "${mutant.name}" does not fit ${mutant.file} any more`)
    return { ...loaded, source: source.replace(mutant.find, mutant.replace) }
  },
})

/** Health with the mistake in it; the real one stays as it is. */
export async function loadMutant({ name }: Mutant): Promise<typeof core> {
  return (await import(`${root}index.ts?mutant=${encodeURIComponent(name)}`)) as typeof core
}

export const unhook = (): void => hooks.deregister()
