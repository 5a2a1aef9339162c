import { registerHooks } from 'node:module'
import type { SimulationOptions } from './simulate.ts'

/** One change of the product's source text, made as the file is loaded and nowhere else. */
interface Edit {
  /** Relative to the root. */
  readonly file: string
  readonly find: RegExp | string
  readonly replace: string
}

export interface DeliberateFault {
  readonly name: string
  /** What is wrong, in words. */
  readonly what: string
  readonly edits: readonly Edit[]
  /** Trouble that it takes to see it; seeds draw the rest. */
  readonly options: Partial<SimulationOptions>
  /** It is found by one of the seeds from 1 to this. */
  readonly withinSeeds: number
}

const fault = (
  name: string,
  what: string,
  edits: readonly Edit[],
  options: Partial<SimulationOptions> = {},
  withinSeeds = 40,
): DeliberateFault => ({ name, what, edits, options, withinSeeds })

const meddled = { powers: { document: true } }
const robbed = { powers: { operator: true } }
const overreaching = { powers: { overreach: true } }

/** Mistakes that a simulator worth its time finds. */
export const DELIBERATE_FAULTS: readonly DeliberateFault[] = [
  fault('no-fsync', 'the disk says that it has synced, and has not', [], {
    lyingDisks: true,
    troubles: { power: true },
  }),
  fault(
    'acknowledge-first',
    'an operation is acknowledged and folded before it is stored',
    [
      {
        file: 'replication/replica/ledger.ts',
        find: 'if (fresh.length > 0) await this.#options.store.append(fresh)',
        replace: 'if (fresh.length > 0) this.#options.store.append(fresh).catch(() => {})',
      },
    ],
    { troubles: { power: true } },
  ),
  fault('put-back', 'what a peer says is told to everybody again, also when nothing of it is new', [
    {
      file: 'replication/replica/shared-replica.ts',
      find: 'if (taken.length === 0) return entered',
      replace:
        'if (taken.length === 0 && verified !== undefined) this.#emit(verified, origin)\n    if (taken.length === 0) return entered',
    },
  ]),
  fault(
    'vectors-only',
    'equal state vectors are taken for equal sets: no inventories, and what has no slot gets none',
    [
      {
        file: 'replication/gossip/gossip.ts',
        find: /if \(!equalRoots && \(equalVectors \|\| again\)\)/,
        replace: 'if (false as boolean)',
      },
      { file: 'replication/replica/shared-replica.ts', find: 'this.#late.add(others)', replace: '' },
    ],
    { ...meddled, troubles: { partitions: true } },
  ),
  fault(
    'no-anti-entropy',
    'what a push lost is never compared',
    [
      {
        file: 'replication/gossip/gossip.ts',
        find: 'if (nowMs < this.#nextRoundMs) return effects',
        replace: 'if (nowMs >= 0) return effects',
      },
    ],
    { ...meddled, troubles: { partitions: true, network: true } },
  ),
  fault(
    'no-rank',
    'a removal counts whoever signed it: juniors remove their seniors',
    [
      { file: 'core/membership/membership.ts', find: 'if (done.has(key)) continue', replace: '' },
      {
        file: 'core/membership/membership.ts',
        find: 'next.cuts = cuts.get(next.key) ?? []',
        replace: 'next.cuts = cuts.get(next.key) ?? []\n    cuts.set(next.key, next.cuts)',
      },
    ],
    robbed,
  ),
  fault(
    'no-refold',
    'a late change of membership does not judge again what was folded before it',
    [
      {
        file: 'core/fold/fold.ts',
        find: /if \(number === added \|\| !this\.#verdicts\.judge\(number\)\) continue/,
        replace: 'if (number >= 0) continue',
      },
    ],
    robbed,
  ),
  fault(
    'no-signatures',
    'an operation is believed whoever signed it',
    [
      {
        file: 'core/signing.ts',
        find: 'if (signature.length !== SIGNATURE_BYTES) return false',
        replace: 'if (signature.length >= 0) return true',
      },
    ],
    overreaching,
  ),
  fault(
    'fold-early',
    'operations from the future are folded at once',
    [
      {
        file: 'replication/replica/held-operations.ts',
        find: /#isDue\(wallMs: number\): boolean \{/,
        replace: '#isDue(wallMs: number): boolean {\n    if (wallMs >= 0) return true',
      },
    ],
    robbed,
  ),
  fault(
    'revoke-is-retire',
    'a revoked key’s operations count unless they descend from the revocation',
    [
      {
        file: 'core/membership/membership.ts',
        find: "if (cut.how === 'revoke' && !place.precedes(cut.operation))",
        replace: "if (cut.how === 'revoke' && place.follows(cut.operation))",
      },
    ],
    robbed,
  ),
  fault(
    'nodes-are-operators',
    'a node may sign what an operator may',
    [
      {
        file: 'core/membership/membership.ts',
        find: /if \(demands\.operator \|\| demands\.deploys\.length > 0\) return 'a node may not make such a change'/,
        replace: 'if (demands !== undefined) return undefined',
      },
    ],
    overreaching,
  ),
  fault(
    'deployers-are-operators',
    'a deployer may sign what an operator may',
    [
      {
        file: 'core/membership/membership.ts',
        find: /if \(.*\) return 'a deployer may only publish releases'/,
        replace: 'if (demands !== undefined) return undefined',
      },
    ],
    overreaching,
  ),
  fault('serve-early', 'a release is served before all of it is here', [
    {
      file: 'replication/releases/activation.ts',
      find: "if (check.kind !== 'missing') return check",
      replace: "return { kind: 'whole' }",
    },
  ]),
  fault(
    'any-incarnation',
    'what a member said in an earlier, longer process is taken for later than what it says now',
    [
      {
        file: 'replication/gossip/awareness-entry.ts',
        find: 'return a.incarnation - b.incarnation || a.counter - b.counter',
        replace: 'return a.counter - b.counter || a.incarnation - b.incarnation',
      },
    ],
    { powers: { awareness: true }, troubles: { crashes: true } },
  ),
  fault(
    'endless-awareness',
    'what a member said is told again whenever it is heard',
    [
      {
        file: 'replication/gossip/awareness.ts',
        find: 'if (known !== undefined && Buffer.compare(known.entry.bytes, entry.bytes) === 0) return',
        replace: 'if (false as boolean) return',
      },
      {
        file: 'replication/gossip/awareness.ts',
        find: 'if (compareEntries(entry, known.entry) <= 0) return',
        replace: 'if (compareEntries(entry, known.entry) < 0) return',
      },
    ],
    { powers: { awareness: true } },
  ),
  fault(
    'no-checksum',
    'a record that is not as it was written is taken for one that is',
    [
      { file: 'replication/store/store-record.ts', find: /=== crc32\(value\.subarray\(4\)\)/, replace: '>= 0' },
      { file: 'replication/store/level-store.ts', find: /sound = false/g, replace: 'sound = sound && true' },
      { file: 'replication/store/level-store.ts', find: /if \(sum\.count < expected\.count\) .*/, replace: '' },
    ],
    { troubles: { flips: true } },
  ),
  fault(
    'enter-everything',
    'each node gives a slot to whatever has none at once, so that the document holds it once for every node',
    [
      {
        file: 'replication/replica/shared-replica.ts',
        find: 'this.#late.add(lacking)',
        replace: 'this.#file?.append(document.put(lacking))',
      },
      {
        file: 'replication/replica/shared-replica.ts',
        find: 'this.#late.add(others)',
        replace: 'this.#putLate(others)',
      },
    ],
  ),
  fault(
    'no-ancestors',
    'an operation is taken before what it follows is here',
    [
      {
        file: 'replication/replica/ledger.ts',
        find: /return operation\.heads\.filter\(\(head\) => .*\)/,
        replace: 'return operation.heads.length === 99 ? [...operation.heads] : []',
      },
    ],
    { troubles: { partitions: true, network: true } },
  ),
]

/** Those that a test run tries: each found by one of the first few seeds, and together by most of the checks. */
export const QUICK_FAULTS: readonly DeliberateFault[] = [
  'no-fsync',
  'put-back',
  'no-rank',
  'no-refold',
  'no-signatures',
  'nodes-are-operators',
  'serve-early',
  'enter-everything',
  'no-ancestors',
  'vectors-only',
].map((name) => findFault(name) as DeliberateFault)

/** Makes the fault real for all of the product that is loaded from here on. Throws when it does not fit the source. */
export function plantFault(chosen: DeliberateFault): void {
  const left = new Set(chosen.edits)
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      const edits = chosen.edits.filter(({ file }) => url.endsWith(`/${file}`))
      if (edits.length === 0) return loaded
      let source = Buffer.from(loaded.source as Uint8Array).toString()
      for (const edit of edits) {
        const changed = source.replace(edit.find, edit.replace)
        if (changed === source)
          throw new Error(`the deliberate fault ${chosen.name} does not fit ${edit.file} any more`)
        source = changed
        left.delete(edit)
      }
      return { ...loaded, source }
    },
  })
  process.on('exit', () => {
    if (left.size > 0) process.stderr.write(`the deliberate fault ${chosen.name} was not planted\n`)
  })
}

export function findFault(name: string): DeliberateFault | undefined {
  return DELIBERATE_FAULTS.find((one) => one.name === name)
}
