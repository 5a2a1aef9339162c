import t from 'tap'
import type { DomainConfig, ProjectConfig } from '../../../cli/config/index.ts'
import { listContestedKeys, planSync } from '../../../cli/project/plan.ts'
import { isEmptyPlan, type PlanInput, type PlanOptions, type SyncPlan } from '../../../cli/project/sync-plan.ts'
import { type BuiltSite, isSameValue, listWanted } from '../../../cli/project/wanted.ts'
import {
  type Change,
  findDomain,
  type Hostname,
  hashBlob,
  hostOwner,
  type Key,
  keys,
  type OwnerName,
  type ReleaseValue,
} from '../../../core/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { FakeTarget } from './fake-target.ts'

const apexes = ['a.org', 'b.org', 'www.a.org'] as Hostname[]
const hosts = ['www.a.org', 'www.b.org', 'x.net'] as Hostname[]
const hash = (text: string) => hashBlob(Buffer.from(text))
const site = (text: string): BuiltSite => ({
  manifest: hash(`m${text}`),
  tree: hash(text),
  files: 1,
  bytes: text.length,
})

const settings = { spa: false, onConcurrent: 'latest', previews: true } as const
const domain = (name: string, rest: Partial<DomainConfig> = {}): DomainConfig => ({
  name: name as Hostname,
  line: 1,
  folder: '/site',
  settings,
  aliases: [],
  records: [],
  components: { functions: [], transforms: [] },
  ...rest,
})
const record = (name: string, type: string, values: string[], ttl = 300) => ({
  name: name as OwnerName,
  type,
  ttl,
  values,
  line: 1,
})

type Sites = ReadonlyMap<Hostname, BuiltSite>
type Project = Pick<ProjectConfig, 'project' | 'domains'>

function plan(
  target: FakeTarget,
  project: Project,
  sites: Sites = new Map(),
  options: PlanOptions = {},
  git?: PlanInput['git'],
  merges?: PlanInput['merges'],
): SyncPlan {
  const { state } = target
  const last = new Map<string, unknown>()
  for (const key of listContestedKeys({ project, sites, state })) {
    const value = target.findLast(key, project.project)
    if (value !== undefined) last.set(key, value)
  }
  return planSync({ project, sites, state, options, last, git, merges })
}

function apply(target: FakeTarget, { domains }: SyncPlan): void {
  for (const { changes } of domains) if (changes.length > 0) target.commit(changes)
}

const kinds = (plan: SyncPlan): string[] => plan.domains.flatMap(({ changes }) => changes.map(({ kind }) => kind))
const texts = (plan: SyncPlan): string[] =>
  plan.domains.flatMap(({ lines }) =>
    lines.map(({ kind, text }) => `${kind} ${text.replace(/operation \w+/g, 'operation ID')}`),
  )
const messages = (plan: SyncPlan): string[] =>
  plan.faults.map(({ message, hint }) => `${message.replace(/operation \w+/g, 'operation ID')} | ${hint}`)

function randomProject(random: Random): { project: Project; sites: Sites } {
  const free = new Set(hosts)
  const names = random.shuffle(apexes).slice(0, 1 + random.integer(2))
  for (const name of names) free.delete(name)
  const sites = new Map<Hostname, BuiltSite>()
  const domains = names.map((name) => {
    const aliases = [...free].filter(() => random.chance(0.5))
    for (const alias of aliases) free.delete(alias)
    if (random.chance(0.8)) sites.set(name, site(random.pick(['one', 'two', 'three'])))
    return domain(name, {
      settings: { ...settings, spa: random.chance(0.3) },
      aliases: aliases.sort(),
      records: ['@', 'mail', 'ftp']
        .filter(() => random.chance(0.5))
        .map((owner) => record(owner, 'A', [random.pick(['192.0.2.1', '192.0.2.2'])])),
    })
  })
  return { project: { project: 'blog', domains }, sites }
}

/** What a person, or another project, does to the same domains. */
function randomForeign(random: Random): Change {
  const apex = random.pick(apexes)
  const via = random.chance(0.3) ? { via: 'shop' } : {}
  const name = random.pick(['@', 'mail', 'ftp', 'own'] as OwnerName[])
  switch (random.integer(8)) {
    case 0:
      return { kind: 'domain.set', domain: apex, ...settings, spa: random.chance(0.5), ...via }
    case 1:
      return { kind: 'domain.remove', domain: apex, ...via }
    case 2:
      return { kind: 'alias.set', domain: apex, host: random.pick(hosts), ...via }
    case 3:
      return { kind: 'alias.remove', domain: apex, host: random.pick(hosts), ...via }
    case 4:
      return { kind: 'record.remove', domain: apex, name, type: 'A', ...via }
    case 5: {
      const { manifest, tree, files, bytes } = site(random.pick(['one', 'two', 'foreign']))
      return { kind: 'release.publish', domain: apex, manifest, tree, files, bytes, aliases: [], ...via }
    }
    default:
      return {
        kind: 'record.set',
        domain: apex,
        name,
        type: 'A',
        ttl: 300,
        values: [random.pick(['192.0.2.1', '192.0.2.9'])],
        ...via,
      }
  }
}

const entriesOf = (target: FakeTarget) =>
  target.state.ids('domain').flatMap((id) => target.state.scope(`domain/${id}`).map((entry) => entry))

for (const seed of seeds(150)) {
  t.test(`a plan that is folded leaves nothing to plan, and others' values alone (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const target = new FakeTarget()
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < random.integer(4); i++) target.commit([randomForeign(random)])
      const { project, sites } = randomProject(random)
      const options = { prune: random.chance(0.4), takeOver: random.chance(0.3) }
      const before = new Map(entriesOf(target).map((entry) => [entry.key, entry]))
      const first = plan(target, project, sites, options)
      if (first.faults.length > 0) {
        for (const fault of first.faults) t.ok(fault.message !== '' && fault.hint !== '')
        continue
      }
      apply(target, first)
      t.ok(isEmptyPlan(plan(target, project, sites, options)), 'planned again, it is empty')
      t.same(plan(target, project, sites, options).faults, [])
      if (!options.takeOver) {
        for (const [key, entry] of before) {
          const now = target.state.get(key)
          if (entry.via === 'blog' || now === entry) continue
          t.ok(now !== undefined && isSameValue(now.value, entry.value), `${key} of another is as it was`)
        }
      }
      const kept = new Set(
        texts(first)
          .filter((text) => text.startsWith('keep '))
          .map((text) => text.split(' ').slice(1, 5).join(' ')),
      )
      for (const each of project.domains) {
        if (kept.size > 0) break
        for (const { key, value } of listWanted(each, 'blog'))
          t.ok(isSameValue(target.state.get(key)?.value, value), `${key} is as the file says`)
        for (const host of [each.name, ...each.aliases]) t.equal(hostOwner(target.state, host), each.name)
        const wanted = sites.get(each.name)
        if (wanted !== undefined) t.equal(findDomain(target.state, each.name)?.release?.tree, wanted.tree)
      }
    }
  })
}

t.test('the first sync writes everything, the second nothing, and a removed line removes', async (t) => {
  const target = new FakeTarget()
  const full = domain('a.org', { aliases: ['www.a.org' as Hostname], records: [record('mail', 'A', ['192.0.2.1'])] })
  const sites = new Map([[full.name, site('one')]])
  const first = plan(
    target,
    { project: 'blog', domains: [full] },
    sites,
    {},
    { commit: 'c'.repeat(40), behind: new Set() },
  )
  t.same(kinds(first), ['domain.set', 'alias.set', 'record.set', 'release.publish'])
  t.same(texts(first), [
    'add domain a.org',
    'add settings of a.org: spa = false, on_concurrent = "latest", previews = true',
    'add alias www.a.org',
    'add A record of mail.a.org: 192.0.2.1 (ttl 300)',
    'add release of a.org: 1 file, 3 B',
  ])
  apply(target, first)
  const release = findDomain(target.state, full.name)?.release
  t.same(release?.aliases, ['www.a.org'])
  t.equal(release?.commit, 'c'.repeat(40))
  t.same(plan(target, { project: 'blog', domains: [full] }, sites).domains[0]?.changes, [])
  const recompressed = new Map([[full.name, { ...site('one'), manifest: hash('other level') }]])
  t.same(
    kinds(plan(target, { project: 'blog', domains: [full] }, recompressed)),
    [],
    'a release is compared by its tree',
  )
  const less = plan(target, { project: 'blog', domains: [domain('a.org')] }, new Map([[full.name, site('two')]]))
  t.same(kinds(less), ['alias.remove', 'record.remove', 'release.publish'])
  apply(target, less)
  t.same(findDomain(target.state, full.name)?.release?.aliases, [])
})

t.test('what others added stays and is named', async (t) => {
  const target = new FakeTarget()
  const project = { project: 'blog', domains: [domain('a.org')] }
  apply(target, plan(target, project))
  target.commit([
    {
      kind: 'record.set',
      domain: apexes[0] as Hostname,
      name: 'hand' as OwnerName,
      type: 'A',
      ttl: 1,
      values: ['192.0.2.9'],
    },
  ])
  const again = plan(target, project)
  t.ok(isEmptyPlan(again))
  t.same(texts(again), ['keep A record of hand.a.org: not in the file, written by owner (operation ID)'])
})

t.test('records of the nodes, and what a delegation hides', async (t) => {
  const target = new FakeTarget()
  const geo = { ...record('cdn', 'A', []), geo: true } as const
  const file = (...records: DomainConfig['records']): Project => ({
    project: 'blog',
    domains: [domain('a.org', { records })],
  })
  const first = plan(target, file(geo))
  t.equal(texts(first).at(-1), 'add A record of cdn.a.org: the address of the nearest healthy node (ttl 300)')
  apply(target, first)
  t.strictSame(target.state.get('domain/a.org/rrset/cdn/A' as Key)?.value, {
    name: 'cdn',
    type: 'A',
    ttl: 300,
    values: [],
    geo: true,
  })
  t.ok(isEmptyPlan(plan(target, file(geo))), 'the same again')
  const fixed = plan(target, file(record('cdn', 'A', ['192.0.2.1'])))
  t.same(texts(fixed), [
    'change A record of cdn.a.org: 192.0.2.1 (ttl 300) (was the address of the nearest healthy node (ttl 300))',
  ])
  const cut = record('dev', 'NS', ['ns.example.net.'])
  const hidden = plan(target, file(geo, cut, record('www.dev', 'A', ['192.0.2.1'])))
  t.match(texts(hidden).join('\n'), /note .*hidden are: A of www\.dev\.a\.org/)
  const signed = record('dev', 'DS', ['1 13 200 0A'])
  t.match(messages(plan(target, file(signed))), [/nothing is delegated at that name/])
  t.same(messages(plan(target, file(cut, signed))), [])
  apply(target, plan(target, file(cut)))
  t.match(
    messages(plan(target, { project: 'other', domains: [domain('b.org', { records: [signed] })] })),
    [/nothing is delegated/],
    'a delegation of another domain is none',
  )
})

t.test('three ways: theirs stays while the file is as it was, and is a fault when both changed', async (t) => {
  const target = new FakeTarget()
  const file = (value: string): Project => ({
    project: 'blog',
    domains: [domain('a.org', { records: [record('mail', 'A', [value])] })],
  })
  const byHand = (value: string): Change => ({
    kind: 'record.set',
    domain: 'a.org' as Hostname,
    name: 'mail' as OwnerName,
    type: 'A',
    ttl: 300,
    values: [value],
  })
  apply(target, plan(target, file('192.0.2.1')))
  target.commit([byHand('192.0.2.2')])
  const kept = plan(target, file('192.0.2.1'))
  t.ok(isEmptyPlan(kept))
  t.same(texts(kept), [
    'keep A record of mail.a.org stays as owner (operation ID) wrote it: 192.0.2.2 (ttl 300); the file did not change since (--take-over: the file wins)',
  ])
  const both = plan(target, file('192.0.2.3'))
  t.same(messages(both), [
    'A record of mail.a.org was written by owner (operation ID), and the file says otherwise | To let the file win: maki sync --take-over',
  ])
  t.same(kinds(plan(target, file('192.0.2.2'))), [], 'equal values are nobody’s quarrel')
  const taken = plan(target, file('192.0.2.3'), new Map(), { takeOver: true })
  t.same(texts(taken), [
    'change A record of mail.a.org: 192.0.2.3 (ttl 300) (was 192.0.2.2 (ttl 300), written by owner (operation ID))',
  ])
  apply(target, taken)
  t.match(target.state.get(keys.record('a.org' as Hostname, 'mail' as OwnerName, 'A'))?.value, {
    values: ['192.0.2.3'],
  })
})

t.test('what another removed stays removed while the file is as it was', async (t) => {
  const target = new FakeTarget()
  const file = (value: string): Project => ({
    project: 'blog',
    domains: [domain('a.org', { records: [record('mail', 'A', [value])] })],
  })
  apply(target, plan(target, file('192.0.2.1')))
  target.commit([{ kind: 'record.remove', domain: 'a.org' as Hostname, name: 'mail' as OwnerName, type: 'A' }])
  t.match(texts(plan(target, file('192.0.2.1')))[0], /^keep A record of mail\.a\.org was removed by another/)
  t.equal(plan(target, file('192.0.2.2')).faults.length, 1)
  target.commit([{ kind: 'domain.remove', domain: 'a.org' as Hostname }])
  t.same(messages(plan(target, file('192.0.2.1'))), [
    'a.org was removed by another since this project last wrote it | To add it again: maki sync --take-over',
  ])
  t.same(kinds(plan(target, file('192.0.2.1'), new Map(), { takeOver: true })), ['domain.set', 'record.set'])
})

t.test('what this project removed itself comes back with the file', async (t) => {
  const target = new FakeTarget()
  const project = {
    project: 'blog',
    domains: [domain('a.org', { records: [record('mail', 'A', ['192.0.2.1'])] }), domain('b.org')],
  }
  const without = { project: 'blog', domains: [domain('b.org')] }
  apply(target, plan(target, project))
  apply(target, plan(target, without, new Map(), { prune: true }))
  t.equal(findDomain(target.state, 'a.org' as Hostname), undefined)
  const again = plan(target, project)
  t.same(again.faults, [])
  t.same(kinds(again), ['domain.set', 'record.set'])
})

t.test(
  'a domain that is gone from the file needs --prune, and others who have a part in it are asked for',
  async (t) => {
    const target = new FakeTarget()
    const full = domain('a.org', { aliases: ['x.net' as Hostname], records: [record('mail', 'A', ['192.0.2.1'])] })
    apply(target, plan(target, { project: 'blog', domains: [full, domain('b.org')] }))
    const without = { project: 'blog', domains: [domain('b.org')] }
    t.same(texts(plan(target, without)), ['keep domain a.org is no longer in the file and stays (--prune removes it)'])
    t.same(kinds(plan(target, without, new Map(), { prune: true })), ['alias.remove', 'domain.remove'])
    target.commit([
      { kind: 'record.set', domain: full.name, name: 'hand' as OwnerName, type: 'A', ttl: 1, values: ['192.0.2.9'] },
    ])
    t.same(messages(plan(target, without, new Map(), { prune: true })), [
      'a.org is no longer in the file, but it has the A record of hand.a.org, written by owner (operation ID) | To remove the domain with all that others wrote there: maki sync --prune --take-over',
    ])
    apply(target, plan(target, without, new Map(), { prune: true, takeOver: true }))
    t.equal(findDomain(target.state, full.name), undefined)
  },
)

t.test('a host that another domain holds is a fault; one that the same sync gives up is not', async (t) => {
  const target = new FakeTarget()
  target.commit([
    { kind: 'domain.set', domain: 'b.org' as Hostname, ...settings },
    { kind: 'alias.set', domain: 'b.org' as Hostname, host: 'x.net' as Hostname },
  ])
  const withAlias = domain('a.org', { aliases: ['x.net' as Hostname] })
  t.same(messages(plan(target, { project: 'blog', domains: [withAlias] })), [
    'x.net belongs to b.org, as owner (operation ID) wrote | To free it: take it out of the aliases of b.org in the makiatto.toml that has them, then there: maki sync',
  ])
  t.same(messages(plan(target, { project: 'blog', domains: [domain('x.net')] })).length, 1)
  target.commit([{ kind: 'domain.remove', domain: 'b.org' as Hostname }])
  t.same(plan(target, { project: 'blog', domains: [withAlias] }).faults, [], 'a removed domain holds nothing')
  apply(target, plan(target, { project: 'blog', domains: [withAlias, domain('c.org')] }))
  const moved = plan(target, {
    project: 'blog',
    domains: [domain('a.org'), domain('c.org', { aliases: ['x.net' as Hostname] })],
  })
  t.same(moved.faults, [])
  apply(target, moved)
  t.equal(hostOwner(target.state, 'x.net' as Hostname), 'c.org')
})

t.test('a rollback by hand stays until the files change', async (t) => {
  const target = new FakeTarget()
  const project = { project: 'blog', domains: [domain('a.org')] }
  const name = 'a.org' as Hostname
  const sites = (text: string) => new Map([[name, site(text)]])
  apply(target, plan(target, project, sites('one')))
  const { via, ...one } = { via: '', ...(target.state.get(keys.release(name))?.value as ReleaseValue) }
  const first = target.state.get(keys.release(name))?.operation
  apply(target, plan(target, project, sites('bad')))
  target.commit([
    { kind: 'release.publish', domain: name, ...one, ...(first === undefined ? {} : { rollbackOf: first }) },
  ])
  t.same(kinds(plan(target, project, sites('bad'))), [])
  t.match(texts(plan(target, project, sites('bad')))[0], /^keep release of a\.org stays as owner/)
  t.same(kinds(plan(target, project, sites('good'))), ['release.publish'])
})

t.test('another project’s release is not replaced without being asked', async (t) => {
  const target = new FakeTarget()
  const domains = [domain('a.org')]
  apply(target, plan(target, { project: 'shop', domains }, new Map([['a.org' as Hostname, site('shop')]])))
  const blog = plan(target, { project: 'blog', domains }, new Map([['a.org' as Hostname, site('blog')]]))
  t.match(messages(blog)[0], 'release of a.org was written by project "shop"')
})

t.test('a release does not go back behind the served commit without force', async (t) => {
  const target = new FakeTarget()
  const project = { project: 'blog', domains: [domain('a.org')] }
  const sites = new Map([['a.org' as Hostname, site('one')]])
  const git = { commit: 'd'.repeat(40), behind: new Set(['a.org' as Hostname]) }
  t.same(messages(plan(target, project, sites, {}, git)), [
    'a.org serves a later commit than dddddddddd, which is checked out here | To go back all the same: maki sync --force',
  ])
  t.same(plan(target, project, sites, { force: true }, git).faults, [])
  apply(target, plan(target, project, sites))
  t.same(plan(target, project, sites, {}, git).faults, [], 'the same files go nowhere')
})

t.test('a release takes the place of a merge only when it is told to', async (t) => {
  const target = new FakeTarget()
  const project = { project: 'blog', domains: [domain('a.org')] }
  const merges = new Map([['a.org' as Hostname, 'aaaaaaaaaa, bbbbbbbbbb']])
  const one = new Map([['a.org' as Hostname, site('one')]])
  apply(target, plan(target, project, one))
  const two = new Map([['a.org' as Hostname, site('two')]])
  t.same(messages(plan(target, project, two, {}, undefined, merges)), [
    'a.org serves the releases aaaaaaaaaa, bbbbbbbbbb together, and what only the others have would be gone | ' +
      'To make them one release first: maki release merge a.org. To let these files take their place: maki sync --take-over',
  ])
  t.same(plan(target, project, two, { takeOver: true }, undefined, merges).faults, [])
  t.same(plan(target, project, one, {}, undefined, merges).faults, [], 'the same files take the place of nothing')
})

t.test('records that take the place of automatic ones are named; those that cannot stand are faults', async (t) => {
  const target = new FakeTarget()
  const file = {
    project: 'blog',
    domains: [
      domain('a.org', { aliases: ['www.a.org' as Hostname], records: [record('@', 'CAA', ['0 issue "ca.example"'])] }),
    ],
  }
  t.ok(
    texts(plan(target, file)).includes(
      'add CAA record of a.org: 0 issue "ca.example" (ttl 300); it replaces the automatic CAA there',
    ),
    String(texts(plan(target, file))),
  )
  apply(target, plan(target, { project: 'blog', domains: [domain('a.org')] }))
  target.commit([
    {
      kind: 'record.set',
      domain: 'a.org' as Hostname,
      name: 'w' as OwnerName,
      type: 'A',
      ttl: 1,
      values: ['192.0.2.9'],
    },
  ])
  const cname = plan(target, {
    project: 'blog',
    domains: [domain('a.org', { records: [record('w', 'CNAME', ['x.net.'])] })],
  })
  t.match(cname.faults[0]?.message, /the CNAME record of w\.a\.org is not possible/)
})
