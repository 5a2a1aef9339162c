import {
  asMakiError,
  type Change,
  type Entry,
  findDomain,
  type Hostname,
  hostOwner,
  type Key,
  keys,
  listNodes,
  MakiError,
  type RecordValue,
} from '../../core/index.ts'
import { checkRrset, listReplaced } from '../../dns/records/index.ts'
import type { DomainConfig } from '../config/index.ts'
import type { DomainPlan, PlanFault, PlanInput, PlanLine } from './sync-plan.ts'
import {
  isRelease,
  isSameValue,
  listWanted,
  nameOfRecord,
  nameOfWriter,
  showValue,
  type Wanted,
  wantRelease,
} from './wanted.ts'

/** The plan of one domain of the file. */
export function planDomain(input: PlanInput, domain: DomainConfig): { plan: DomainPlan; faults: readonly PlanFault[] } {
  // Aliases and records go with a release: what was rolled back stays so as a whole.
  const held = input.holds?.get(domain.name)
  if (held !== undefined) {
    const line: PlanLine = { kind: 'note', text: `${held}; nothing of it is written` }
    return { plan: { domain: domain.name, changes: [], lines: [line], held }, faults: [] }
  }
  const planner = new DomainPlanner(input, domain)
  planner.run()
  const { changes, lines, faults } = planner
  return { plan: { domain: domain.name, changes, lines }, faults }
}

class DomainPlanner {
  readonly changes: Change[] = []
  readonly lines: PlanLine[] = []
  readonly faults: PlanFault[] = []
  readonly #input: PlanInput
  readonly #domain: DomainConfig
  readonly #project: string

  constructor(input: PlanInput, domain: DomainConfig) {
    this.#input = input
    this.#domain = domain
    this.#project = input.project.project
  }

  run(): void {
    const { state, sites, last, options, git } = this.#input
    const apex = this.#domain.name
    const isThere = state.get(keys.domain(apex)) !== undefined
    if (!isThere && last.has(keys.domain(apex)) && options.takeOver !== true) {
      this.#fault(
        keys.domain(apex),
        `${apex} was removed by another since this project last wrote it`,
        'To add it again',
      )
      return
    }
    const wanted = listWanted(this.#domain, this.#project)
    this.#checkHost(apex, keys.domain(apex))
    if (!isThere) this.lines.push({ kind: 'add', text: `domain ${apex}` })
    this.#removeUnwanted(new Set(wanted.map(({ key }) => key)))
    for (const each of wanted) {
      if (each.change.kind === 'alias.set' && !this.#checkHost(each.change.host, each.key)) continue
      this.#settle(each)
    }
    this.#checkRecords()
    const site = sites.get(apex)
    if (site === undefined) return
    const aliases = this.#finalAliases()
    const release = wantRelease(apex, site, { project: this.#project, aliases, commit: git?.commit })
    const replaces = this.#settle(release)
    const merged = this.#input.merges?.get(apex)
    if (replaces && merged !== undefined && options.takeOver !== true) {
      this.#fault(
        release.key,
        `${apex} serves the releases ${merged} together, and what only the others have would be gone`,
        `To make them one release first: maki release merge ${apex}. To let these files take their place`,
      )
    }
    if (replaces && git?.behind.has(apex) === true && options.force !== true) {
      this.#fault(
        release.key,
        `${apex} serves a later commit than ${git.commit.slice(0, 10)}, which is checked out here`,
        'To go back all the same',
        '--force',
      )
    }
  }

  /** True when the value is going to be written. */
  #settle(wanted: Wanted): boolean {
    const { state, options } = this.#input
    const entry = state.get(wanted.key)
    const verdict = judge(wanted, entry, this.#input, this.#isHeld(wanted))
    const shown = wanted.shown === '' ? '' : `: ${wanted.shown}`
    switch (verdict) {
      case 'same':
        return false
      case 'write': {
        this.changes.push(wanted.change)
        const replaced = this.#replacedBy(wanted)
        if (entry === undefined) this.lines.push({ kind: 'add', text: `${wanted.name}${shown}${replaced}` })
        else {
          const was = showValue(entry.value)
          const over =
            entry.via === this.#project || options.takeOver !== true ? '' : `, written by ${nameOfWriter(state, entry)}`
          this.lines.push({
            kind: 'change',
            text: `${wanted.name}${shown}${was === '' ? '' : ` (was ${was}${over})`}${replaced}`,
          })
        }
        return true
      }
      case 'keep': {
        const theirs =
          entry === undefined
            ? 'was removed by another'
            : `stays as ${nameOfWriter(state, entry)} wrote it: ${showValue(entry.value)}`
        this.lines.push({
          kind: 'keep',
          text: `${wanted.name} ${theirs}; the file did not change since (--take-over: the file wins)`,
        })
        return false
      }
      case 'conflict': {
        const theirs = entry === undefined ? 'was removed by another' : `was written by ${nameOfWriter(state, entry)}`
        this.#fault(wanted.key, `${wanted.name} ${theirs}, and the file says otherwise`, 'To let the file win')
        return false
      }
      default:
        return verdict satisfies never
    }
  }

  /** False for an alias that is written but whose host went to another domain meanwhile: it has to be claimed again. */
  #isHeld(wanted: Wanted): boolean {
    const { change } = wanted
    const host = change.kind === 'alias.set' ? change.host : change.kind === 'domain.set' ? change.domain : undefined
    return host === undefined || hostOwner(this.#input.state, host) === this.#domain.name
  }

  /** A host that another living domain holds is a fault, unless this project is about to give it up there. */
  #checkHost(host: Hostname, key: Key): boolean {
    const { state, project, options } = this.#input
    const owner = hostOwner(state, host)
    if (owner === undefined || owner === this.#domain.name || findDomain(state, owner) === undefined) return true
    const claim = owner === host ? state.get(keys.domain(owner)) : state.get(keys.alias(owner, host))
    if (claim === undefined) return true
    const inFile = project.domains.find(({ name }) => name === owner)
    const isGivenUp = claim.via === this.#project && (inFile === undefined ? options.prune === true : owner !== host)
    if (isGivenUp) return true
    this.faults.push({
      key,
      message: `${host} belongs to ${owner}, as ${nameOfWriter(state, claim)} wrote`,
      hint:
        owner === host
          ? `To free it: take ${owner} out of the makiatto.toml that has it, then there: maki sync --prune`
          : `To free it: take it out of the aliases of ${owner} in the makiatto.toml that has them, then there: maki sync`,
    })
    return false
  }

  #removeUnwanted(wanted: ReadonlySet<Key>): void {
    const { state } = this.#input
    const apex = this.#domain.name
    for (const entry of state.scope(keys.domain(apex))) {
      const part = readPart(apex, entry)
      if (part === undefined || wanted.has(entry.key)) continue
      if (entry.via === this.#project) {
        this.changes.push({ ...part.remove, via: this.#project })
        this.lines.push({ kind: 'remove', text: `${part.name}: no longer in the file` })
      } else {
        this.lines.push({
          kind: 'keep',
          text: `${part.name}: not in the file, written by ${nameOfWriter(state, entry)}`,
        })
      }
    }
  }

  /** What is written has to fit what others wrote at the same name. */
  #checkRecords(): void {
    const apex = this.#domain.name
    const records = new Map<Key, RecordValue>()
    for (const entry of this.#input.state.scope(keys.domain(apex)))
      if (entry.key.startsWith(`${keys.domain(apex)}/rrset/`)) records.set(entry.key, entry.value as RecordValue)
    const written: Key[] = []
    for (const change of this.changes) {
      if (change.kind !== 'record.set' && change.kind !== 'record.remove') continue
      const key = keys.record(apex, change.name, change.type)
      if (change.kind === 'record.remove') records.delete(key)
      else {
        const { name, type, ttl, values, geo } = change
        records.set(key, { name, type, ttl, values, ...(geo === undefined ? {} : { geo }) })
        written.push(key)
      }
    }
    for (const key of written) {
      try {
        const notes = checkRrset(apex, records.get(key) as RecordValue, records.values())
        for (const text of notes) this.lines.push({ kind: 'note', text })
      } catch (thrown) {
        if (!(thrown instanceof MakiError)) throw thrown
        const { message, hint } = asMakiError(thrown)
        this.faults.push({ key, message, hint: hint ?? 'Remove one of the two records.' })
      }
    }
  }

  #replacedBy({ change }: Wanted): string {
    if (change.kind !== 'record.set') return ''
    const zone = { apex: this.#domain.name, aliases: this.#domain.aliases }
    const types = listReplaced(zone, listNodes(this.#input.state), change)
    return types.length === 0 ? '' : `; it replaces the automatic ${[...new Set(types)].join(', ')} there`
  }

  #finalAliases(): readonly Hostname[] {
    const aliases = new Set(findDomain(this.#input.state, this.#domain.name)?.aliases ?? [])
    for (const change of this.changes) {
      if (change.kind === 'alias.set') aliases.add(change.host)
      else if (change.kind === 'alias.remove') aliases.delete(change.host)
    }
    return [...aliases].sort()
  }

  #fault(key: Key, message: string, why: string, flag = '--take-over'): void {
    this.faults.push({ key, message, hint: `${why}: maki sync ${flag}` })
  }
}

type Verdict = 'same' | 'write' | 'keep' | 'conflict'

function judge(wanted: Wanted, entry: Entry | undefined, input: PlanInput, isHeld: boolean): Verdict {
  if (entry !== undefined && isSameValue(entry.value, wanted.value)) return isHeld ? 'same' : 'write'
  if (entry?.via === input.project.project && entry !== undefined) return 'write'
  const hasWritten = input.last.has(wanted.key)
  if (input.options.takeOver === true || (entry === undefined && !hasWritten)) return 'write'
  if (hasWritten && isSameValue(input.last.get(wanted.key), wanted.value)) return 'keep'
  // Somebody went back to what this project had published before: new files are the way forward from there.
  if (hasWritten && isRelease(entry?.value) && entry.value.rollbackOf !== undefined) return 'write'
  return 'conflict'
}

/** An alias or record of a domain: what people call it, and the change that takes it away. */
export function readPart(
  apex: Hostname,
  entry: Entry,
): { name: string; remove: Extract<Change, { kind: 'alias.remove' | 'record.remove' }> } | undefined {
  const prefix = `${keys.domain(apex)}/`
  if (entry.key.startsWith(`${prefix}alias/`)) {
    const host = entry.key.slice(`${prefix}alias/`.length) as Hostname
    return { name: `alias ${host}`, remove: { kind: 'alias.remove', domain: apex, host } }
  }
  if (entry.key.startsWith(`${prefix}rrset/`)) {
    const { name, type } = entry.value as RecordValue
    return { name: nameOfRecord(apex, { name, type }), remove: { kind: 'record.remove', domain: apex, name, type } }
  }
  return undefined
}
