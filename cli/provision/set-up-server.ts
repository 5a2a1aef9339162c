import * as v from 'valibot'
import { type MemberKey, parseMemberKey, type WireGuardKey } from '../../core/index.ts'
import type { Bundle } from '../bundle/index.ts'
import { formatBytes } from '../output/text.ts'
import { installResult, removeResult } from '../setup/index.ts'
import type { Privilege, SshHost } from '../ssh/index.ts'
import type { InitContext, InitRequest } from './init-context.ts'
import { runSetup, SetupFailure } from './run-setup.ts'
import type { Survey } from './survey/survey.ts'
import { TakeBack } from './take-back.ts'
import { discardBundle, hasBundle, uploadBundle } from './upload-bundle.ts'

/** A server that fits: what is known of it, and how commands run there as root. */
export interface FitServer {
  readonly host: SshHost
  readonly privilege: Privilege
  readonly survey: Survey
}

/** Our bundle for that server; nothing is changed there. */
export async function findProgram(
  { steps, host: { env, runtime, signal }, findBundle }: InitContext,
  { binaryPath }: Pick<InitRequest, 'binaryPath'>,
  { survey: { system } }: Pick<FitServer, 'survey'>,
): Promise<Bundle> {
  const { arch } = system
  if (arch === undefined) throw new Error('a server that fits has an architecture')
  return await steps.run('Bundle', async (step) => {
    const one = await findBundle({
      arch,
      env,
      runtime,
      signal,
      onProgress: (text: string) => step.progress(text),
      ...(binaryPath === undefined ? {} : { binaryPath }),
    })
    step.say(`${one.version} for ${arch}, ${formatBytes(one.sizeBytes)}`)
    return one
  })
}

/** Brings the bundle to the server, unless it lies there; resolves with the name of its version. */
export async function uploadProgram(
  { steps, host: { signal } }: InitContext,
  { host, privilege }: Pick<FitServer, 'host' | 'privilege'>,
  bundle: Bundle,
  takeBack: TakeBack,
): Promise<string> {
  await steps.run('Upload', async (step) => {
    const sent = await uploadBundle(host, privilege, bundle, {
      signal,
      onProgress: (sentBytes) => step.progress(`${formatBytes(sentBytes)} of ${formatBytes(bundle.sizeBytes)}`),
    })
    if (sent === 'same') return step.same('it is there already')
    takeBack.did(`the program in /opt/makiatto/versions/${bundle.sha256}`, () =>
      discardBundle(host, privilege, bundle.sha256),
    )
    step.say(formatBytes(bundle.sizeBytes))
  })
  return bundle.sha256
}

/** The version that a node has, where it is whole. */
export async function findWhole({ host, privilege, survey: { found } }: FitServer): Promise<string | undefined> {
  if (found.kind !== 'node' || found.version === undefined) return undefined
  return (await hasBundle(host, privilege, found.version)) ? found.version : undefined
}

/** Public keys of a node. */
export interface NodeKeys {
  readonly key: MemberKey
  /** Of WireGuard; undefined where a version without a mesh stays. */
  readonly wireguardKey: WireGuardKey | undefined
}

/** User, folders, keys, configuration and unit; resolves with the node's public keys. */
export async function installServer(
  { steps, host: { signal } }: InitContext,
  { host, privilege }: FitServer,
  version: string,
  config: string,
  takeBack: TakeBack,
): Promise<NodeKeys> {
  const { user } = host.target
  const request = {
    do: 'install',
    version,
    config,
    users: user === 'root' ? [] : [user],
    // Asked for whatever the survey saw: what this run took away first may have given it back.
    freePort53: true,
  } as const
  const result = await runSetup(host, privilege, version, request, (step) => steps.report(step), signal)
  const { key, known, wireguardKey } = v.parse(installResult, result)
  if (!known)
    takeBack.did('what was installed on the server', () => cleanServer({ host, privilege }, version, () => {}))
  return { key: parseMemberKey(key), wireguardKey }
}

/**
 * Starts the node, which knows the cluster by these operations. A failure undoes all that was installed by this run; whoever
 * interrupts has to do so himself where the server was done before.
 */
export async function beginServer(
  { steps, host: { signal } }: InitContext,
  { host, privilege }: FitServer,
  version: string,
  seed: Uint8Array,
  undo: boolean,
): Promise<void> {
  const request = { do: 'begin', seed: Buffer.from(seed).toString('base64'), undo } as const
  await runSetup(host, privilege, version, request, (step) => steps.report(step), signal)
  // It may have been done before it heard that somebody interrupts.
  signal.throwIfAborted()
}

/**
 * Takes a node away, by the program that runs there or, where that is gone, by ours, which goes with all else. The survey then
 * tells of what was.
 */
export async function removeNode(context: InitContext, server: FitServer, bundle: Bundle): Promise<void> {
  const program = (await findWhole(server)) ?? (await uploadProgram(context, server, bundle, new TakeBack()))
  await cleanServer(server, program, () => {})
}

/** Puts a server back as it was before it was one of ours. What cannot be put back is thrown, a line each. */
export async function cleanServer(
  { host, privilege }: Pick<FitServer, 'host' | 'privilege'>,
  version: string,
  onStep: Parameters<typeof runSetup>[4],
): Promise<void> {
  // It was taken back there already.
  if (!(await hasBundle(host, privilege, version))) return
  try {
    const { left } = v.parse(removeResult, await runSetup(host, privilege, version, { do: 'remove' }, onStep))
    if (left.length > 0) throw new Error(left.join('; '))
  } catch (thrown) {
    // Nothing is there that could be removed.
    if (!(thrown instanceof SetupFailure) || thrown.code !== 'MAKI_NOT_FOUND') throw thrown
  }
}
