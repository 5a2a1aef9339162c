import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CreatedCluster, createCluster } from '../../../cli/client/create-cluster.ts'
import { runMaki } from '../../../cli/main.ts'
import type { Host } from '../../../cli/program/host.ts'
import { systemRuntime } from '../../../cli/system.ts'
import {
  type Change,
  type ClusterId,
  createOperation,
  createSigner,
  type Hostname,
  type MemberKey,
  type NodeName,
  nextStamp,
  type Operation,
  SCHEMA,
  type Signer,
} from '../../../core/index.ts'
import { findOutputFault } from '../json/check-output.ts'
import { startTestNode, type TestNode } from './test-node.ts'

/** What a run of `maki` left: exit code and both streams. */
export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface TestCluster extends AsyncDisposable {
  readonly directory: string
  readonly created: CreatedCluster
  readonly cluster: ClusterId
  readonly nodes: readonly TestNode[]
  readonly profile: string
  readonly env: Readonly<Record<string, string>>
  /** Runs `maki` in this process, as the first operator. */
  maki(...argv: string[]): Promise<Outcome>
  /** The JSON value that a command prints. */
  json<T = unknown>(...argv: string[]): Promise<T>
  /** Writes as the first operator straight into a node, as if from another laptop. */
  write(node: TestNode, changes: readonly Change[], signer?: Signer): Promise<Operation>
}

export const example = 'example.com' as Hostname

export const domainSet = (domain: Hostname = example, via?: string): Change => ({
  kind: 'domain.set',
  domain,
  spa: false,
  onConcurrent: 'latest',
  previews: true,
  ...(via === undefined ? {} : { via }),
})

export const testSeed = (number: number): Uint8Array => new Uint8Array(32).fill(number)
export const testKey = (number: number): Signer => createSigner(testSeed(number))

/** Lets a cluster of tests write what schema 2 has; its nodes join with an older one. */
export async function announceSchema(cluster: TestCluster): Promise<void> {
  const set = { schema: SCHEMA }
  const changes = cluster.nodes.map((_, i) => ({ kind: 'node.update' as const, key: testKey(100 + i).key, set }))
  for (const node of cluster.nodes) await cluster.write(node, changes)
}

/** A cluster with a profile, its first operator, and nodes behind real control sockets; all gone when disposed. */
export async function startTestCluster(options: { nodes?: readonly string[] } = {}): Promise<TestCluster> {
  await using stack = new AsyncDisposableStack()
  // Not tap's own folder: the path of a unix socket has room for 107 bytes only.
  const directory = await mkdtemp(join(tmpdir(), 'maki-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const names = options.nodes ?? ['one']
  const created = await createCluster({
    name: 'test',
    operatorName: 'owner',
    dataDir: join(directory, 'data'),
    recoveryKeyPath: join(directory, 'recovery.key'),
    runtime: systemRuntime,
  })
  const { cluster, operator, creation } = created
  const join1 = (name: string, i: number): Change => ({
    kind: 'node.join',
    key: testKey(100 + i).key,
    name: name as NodeName,
    addresses: { ipv4: `127.0.0.${i + 1}`, ipv6: null },
    place: null,
    nameserver: true,
    drained: false,
  })
  const joins = createOperation(operator, cluster, {
    stamp: nextStamp(systemRuntime.now(), [creation.stamp]),
    heads: [creation.id],
    changes: [...names.map(join1), domainSet()],
  })
  const nodes: TestNode[] = []
  for (const [i, name] of names.entries()) {
    const node = stack.use(
      await startTestNode({
        directory,
        cluster,
        creation: creation.bytes,
        name,
        key: testKey(100 + i).key as MemberKey,
        seed: testSeed(100 + i),
      }),
    )
    await node.replica.submit([joins.bytes])
    nodes.push(node)
  }
  const profile = join(directory, 'profile.toml')
  const machines = nodes.map((node) => `[[machines]]\nname = "${node.name}"\ncontrol = "${node.socketPath}"\n`)
  await writeFile(profile, `cluster = "${cluster}"\ndata = "data"\n${machines.join('')}`)
  const env = { HOME: directory, MAKIATTO_PROFILE: profile, PATH: process.env.PATH ?? '' }
  const maki = (...argv: string[]) => runInProcess(argv, { env, cwd: directory })
  const owned = stack.move()
  return {
    directory,
    created,
    cluster,
    nodes,
    profile,
    env,
    maki,
    async json<T>(...argv: string[]) {
      const { stdout } = await maki(...argv, '--json')
      return JSON.parse(stdout) as T
    },
    write: (node, changes, signer = operator) => node.replica.commit(signer, changes),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Runs `maki` in this process with streams that are read. What it prints with `--json` is held to its documented shape. */
export async function runInProcess(
  argv: readonly string[],
  options: {
    env: Host['env']
    cwd: string
    signal?: AbortSignal
    terminal?: boolean
    columns?: number
    /** What is typed when something is asked; nobody sits there where it is absent. */
    answer?: string
    runtime?: Host['runtime']
  },
): Promise<Outcome> {
  const text = { stdout: '', stderr: '' }
  const sink = (name: 'stdout' | 'stderr') => ({
    write: (piece: string) => {
      text[name] += piece
    },
    isTerminal: options.terminal === true,
    columns: options.columns,
  })
  const host: Host = {
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: options.env,
    cwd: options.cwd,
    runtime: options.runtime ?? systemRuntime,
    signal: options.signal ?? new AbortController().signal,
    ...(options.answer === undefined
      ? {}
      : {
          ask: async (question: string) => {
            text.stderr += question
            return options.answer as string
          },
        }),
  }
  const code = await runMaki(argv, host)
  const outcome = { code, ...text }
  const fault = findOutputFault(argv, outcome)
  if (fault !== undefined)
    throw new Error(`maki ${argv.join(' ')} does not print what the docs say:\n${fault}\n${text.stdout}${text.stderr}`)
  return outcome
}
