import { type ClusterId, listNodes, type MemberKey } from '../../core/index.ts'
import { packSeed } from '../client/pack-seed.ts'
import { lockProfile, type ProfileContent, updateProfile, writeProfile } from '../config/index.ts'
import { tellMissed } from '../output/tell-missed.ts'
import { SERVER_PORTS } from '../setup/index.ts'
import { formatSshTarget } from '../ssh/index.ts'
import { buildServerConfig } from './build-config.ts'
import { describeInterruption, explainInit } from './explain-init.ts'
import { findPlace } from './find-place.ts'
import type { InitContext, InitRequest } from './init-context.ts'
import {
  describeMachine,
  isUsualNameserver,
  type JoinFields,
  joinCluster,
  leaveCluster,
  requireFreeName,
  requireMesh,
} from './join-cluster.ts'
import { verify, waitAndLook } from './look-after.ts'
import { openFitServer } from './open-fit-server.ts'
import { findOwnProfile, makeOwnCluster } from './own-cluster.ts'
import { SetupFailure } from './run-setup.ts'
import {
  beginServer,
  type FitServer,
  findProgram,
  findWhole,
  installServer,
  removeNode,
  uploadProgram,
} from './set-up-server.ts'
import { type ChosenAddresses, chooseAddresses } from './survey/addresses.ts'
import { TakeBack } from './take-back.ts'
import type { Answer } from './verify-node.ts'

/** A node that runs, and what does not reach it. */
export interface InitResult {
  readonly name: string
  readonly cluster: ClusterId
  readonly key: MemberKey
  readonly ipv4: string | null
  readonly ipv6: string | null
  readonly place: { readonly latitude: number; readonly longitude: number } | null
  readonly nameserver: boolean
  readonly profile: string
  /** Where the cluster was made: the file that the owner keeps elsewhere. */
  readonly recoveryKey: string | null
  readonly answers: readonly Answer[]
  /** What is not as it should be, though the node runs; the exit code is 1 then. */
  readonly faults: readonly string[]
}

/**
 * Makes a server a node. Everything that stands in the way is refused before anything is changed; what fails later is taken
 * back on the server, in the cluster and here. Run again, it goes on with what is there.
 */
export async function initMachine(context: InitContext, request: InitRequest): Promise<InitResult> {
  const { host, steps, profileFile } = context
  const takeBack = new TakeBack()
  await using owned = new AsyncDisposableStack()
  // The profile of a cluster that is being made stays locked until what was made is taken back.
  await using creating = new AsyncDisposableStack()
  // Another maki that makes this very machine would take its name from this one.
  owned.use(await lockProfile(`${profileFile}.${request.name}`, host.env, host.runtime, { waitMs: 0 }))
  const stage: Stage = { isBegun: false, isStarting: false, isDone: false }
  try {
    return await run(context, request, { takeBack, owned, creating, stage })
  } catch (thrown) {
    const step = steps.failed
    if (stage.isDone) {
      context.caution(
        `${request.name} is set up and runs; only the look at it has ended: maki machine show ${request.name}`,
      )
      throw thrown
    }
    if (stage.isStarting && thrown instanceof SetupFailure && thrown.undone === undefined) {
      // It may run. What it needs to go on is kept, and the next run finds out.
      takeBack.keep()
      throw explainInit(thrown, { step, isBegun: true, isKept: true, left: [] })
    }
    if (stage.isBegun) steps.note('Taking back what was done…')
    const left = await takeBack.run()
    if (host.signal.aborted && stage.isBegun) context.caution(describeInterruption(left))
    throw explainInit(thrown, { step, isBegun: stage.isBegun, isKept: false, left })
  }
}

/** How far a run is. */
interface Stage {
  /** Something may have been changed. */
  isBegun: boolean
  /** The node is being started: from here on it may run without our knowing. */
  isStarting: boolean
  /** It is set up, and stays whatever comes. */
  isDone: boolean
}

/** What a run holds, and has done. */
interface Run {
  readonly takeBack: TakeBack
  readonly owned: AsyncDisposableStack
  readonly creating: AsyncDisposableStack
  readonly stage: Stage
}

async function run(
  context: InitContext,
  request: InitRequest,
  { takeBack, owned, creating, stage }: Run,
): Promise<InitResult> {
  const { steps } = context
  const { name, recreate } = request
  const present = await findOwnProfile(context)
  const server = await openFitServer(context, request, present, owned)
  const { found } = server.survey
  const isThere = found.kind === 'node' && found.cluster === present?.cluster && found.name === name
  const sshTarget = formatSshTarget({ ...server.host.target, port: 22 })
  const isFirst = present === undefined || present.machines.length === 0
  // What never began is of nobody, and not gone on with: its key may have been let in and taken out again, for good.
  const isInTheWay = found.kind === 'node' && (recreate || !isThere || !found.isBegun)
  if (!isFirst) {
    await steps.run('Cluster', async (step) => {
      await using client = await context.openClient(present, { offline: false })
      await client.exchange()
      await client.requireSigner()
      await requireFreeName(client, name, { isThere, sshTarget, recreate })
      if (found.kind !== 'node' || isInTheWay) requireMesh(client.state, name)
      const { length } = listNodes(client.state)
      step.say(`${length} ${length === 1 ? 'machine' : 'machines'} so far`)
    })
  }
  const isNode = found.kind === 'node' && found.isBegun
  if (recreate && isNode) await context.confirm(`Set up ${name} anew, and delete what the node on ${sshTarget} has?`)
  const addresses = requireAddresses(context, request, server)
  const place = await choosePlace(context, request, addresses)
  const version = await placeVersion(context, request, { server, isInTheWay, takeBack, owned, stage })
  const { profile, recoveryKey, isLocked } = isFirst
    ? await steps.run('Make the cluster', (step) => makeOwnCluster(context, takeBack, creating, step))
    : { profile: present, recoveryKey: undefined, isLocked: false }
  const joined = await join(context, request, {
    server,
    profile,
    addresses,
    place,
    version,
    takeBack,
    stage,
    isThere,
    sshTarget,
  })
  const after = await steps.run('Profile', async (step) => {
    const ssh = { sshTarget, port: server.host.target.port, hostKey: server.host.hostKey }
    const edited = await writeMachine(context, profile, joined.fields, ssh, isLocked)
    step.say(edited.file)
    return edited
  })
  await creating.disposeAsync()
  takeBack.keep()
  stage.isDone = true
  const faults = await waitAndLook(context, request, after, joined.key)
  const answers = await verify(context, addresses, faults)
  return {
    name,
    cluster: profile.cluster,
    key: joined.key,
    ipv4: addresses.ipv4,
    ipv6: addresses.ipv6,
    place: joined.fields.place,
    nameserver: joined.fields.nameserver,
    profile: after.file,
    recoveryKey: recoveryKey ?? null,
    answers,
    faults,
  }
}

/** The version that is to run there: the one of a node that stays, where it is whole, else ours, which is brought there. */
async function placeVersion(
  context: InitContext,
  request: InitRequest,
  run: Omit<Run, 'creating'> & { server: FitServer; isInTheWay: boolean },
): Promise<string> {
  const { server, isInTheWay, takeBack, owned, stage } = run
  const kept = isInTheWay ? undefined : await findWhole(server)
  // Had before anything is deleted: where there is none, what is there stays.
  const bundle = kept === undefined ? await findProgram(context, request, server) : undefined
  stage.isBegun = true
  // A slow server needs longer to put itself back than commands are given to close.
  owned.use(context.host.hold?.())
  if (bundle === undefined) return String(kept)
  if (isInTheWay) await context.steps.run('Remove what is there', () => removeNode(context, server, bundle))
  return await uploadProgram(context, server, bundle, takeBack)
}

interface Joining {
  readonly server: FitServer
  readonly profile: ProfileContent
  readonly addresses: ChosenAddresses
  readonly place: JoinFields['place']
  readonly version: string
  readonly takeBack: TakeBack
  readonly stage: Stage
  readonly isThere: boolean
  readonly sshTarget: string
}

/** Installs, lets the node in and starts it. */
async function join(
  context: InitContext,
  request: InitRequest,
  { server, profile, addresses, place, version, takeBack, stage, isThere, sshTarget }: Joining,
): Promise<{ readonly key: MemberKey; readonly fields: JoinFields }> {
  const { steps } = context
  const { name, nameserver } = request
  const isFirst = profile.machines.length === 0
  await using client = await context.openClient(profile, { offline: isFirst })
  const signer = await client.requireSigner()
  const before = await requireFreeName(client, name, { isThere, sshTarget, recreate: request.recreate })
  const isNameserver = nameserver === 'usual' ? isUsualNameserver(client.state, name) : nameserver === 'force'
  // Setup leaves a configuration that is there as its owner has it.
  const config = buildServerConfig({ name, cluster: profile.cluster, isNameserver })
  const { key, wireguardKey } = await installServer(context, server, version, config, takeBack)
  const mesh = wireguardKey === undefined ? null : { publicKey: wireguardKey, port: SERVER_PORTS.wireguard }
  const wanted: JoinFields = { name, addresses, place, nameserver: isNameserver, mesh }
  const isNew = before?.key !== key
  // What the cluster has of a machine is changed by `machine set` alone.
  const fields: JoinFields = isNew || before === undefined ? wanted : { ...before, addresses: before }
  await steps.run('Join', async (step) => {
    const told = await joinCluster(client, signer, key, fields, before)
    if (told === undefined) return step.same('it is a member already')
    takeBack.did(`the membership of ${name} (maki machine remove ${name})`, async () => {
      await using again = await context.openClient(profile, { offline: isFirst })
      await leaveCluster(again, signer, key, name)
    })
    for (const text of tellMissed(told.missed)) context.caution(text)
    const reached = isFirst ? undefined : await client.reach()
    const knowing = [...(reached === undefined ? [] : [reached.machine.name]), ...told.taken, ...told.had]
    step.say(isFirst ? 'the first machine' : `known to ${knowing.join(', ') || 'no other machine yet'}`)
  })
  stage.isStarting = true
  await beginServer(context, server, version, await packSeed(client.local), isNew)
  return { key, fields }
}

function requireAddresses(
  { steps }: InitContext,
  { ipv4, ipv6 }: InitRequest,
  { host, survey }: FitServer,
): ChosenAddresses {
  const addresses = chooseAddresses(survey, { ipv4, ipv6, connected: host.address })
  const said = [addresses.ipv4, addresses.ipv6].filter((address) => address !== null).join(' and ')
  const state = addresses.notes.length > 0 ? 'warned' : 'done'
  steps.report({ step: 'Addresses', state, detail: [said, ...addresses.notes].join('; ') })
  return addresses
}

async function choosePlace(
  { steps }: InitContext,
  { name, place }: InitRequest,
  { ipv4, ipv6 }: ChosenAddresses,
): Promise<JoinFields['place']> {
  const found = place ?? (await findPlace([ipv4, ipv6]))
  if (found === undefined) {
    const detail = `where it stands is not known, and visitors are sent to it evenly: maki machine set ${name} --lat DEGREES --lon DEGREES`
    steps.report({ step: 'Place', state: 'warned', detail })
    return null
  }
  const { latitude, longitude } = found
  const how =
    place === undefined ? `, by the country of its address${'country' in found ? ` (${found.country})` : ''}` : ''
  steps.report({ step: 'Place', state: 'done', detail: `${latitude} ${longitude}${how}` })
  return { latitude, longitude }
}

async function writeMachine(
  { host: { env, runtime, signal } }: InitContext,
  profile: ProfileContent,
  fields: JoinFields,
  ssh: Parameters<typeof describeMachine>[1]['ssh'],
  isLocked: boolean,
): Promise<ProfileContent> {
  const edit = (present: ProfileContent | undefined): ProfileContent => {
    const { file, cluster, dataFolder, machines } = present ?? profile
    const before = machines.find((machine) => machine.name === fields.name)
    const machine = describeMachine(fields, { ssh, cluster }, before)
    return {
      file,
      cluster,
      dataFolder,
      machines: before === undefined ? [...machines, machine] : machines.map((one) => (one === before ? machine : one)),
    }
  }
  // Whoever made the cluster holds the lock of its profile until it is written.
  if (!isLocked) return (await updateProfile(profile.file, env, runtime, edit, { signal })) ?? profile
  const content = edit(undefined)
  await writeProfile(content, env, runtime)
  return content
}
