import type { Log, NodeName } from '../../core/index.ts'
import type { Bundle, BundleArch } from '../bundle/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import type { ProfileContent } from '../config/index.ts'
import type { Host } from '../program/host.ts'
import type { connectSsh, KeyRing, SshTarget } from '../ssh/index.ts'
import type { KnownPlace } from './find-place.ts'
import type { StepList } from './step-list.ts'
import type { verifyNode } from './verify-node.ts'

/** What is asked for. */
export interface InitRequest {
  readonly name: NodeName
  readonly target: SshTarget
  readonly nameserver: 'usual' | 'skip' | 'force'
  /** Sets it up anew though it is a node. */
  readonly recreate: boolean
  readonly binaryPath: string | undefined
  /** Addresses, or `none`; undefined: those of the server. */
  readonly ipv4: string | undefined
  readonly ipv6: string | undefined
  readonly place: KnownPlace | undefined
  /** Asks nothing. */
  readonly yes: boolean
}

/** The bundle to bring to a server: `findBundle` of cli/bundle. */
export type FindBundle = (options: {
  readonly arch: BundleArch
  readonly binaryPath?: string
  readonly env: Host['env']
  readonly runtime: Host['runtime']
  readonly signal: AbortSignal
  readonly onProgress?: (text: string) => void
}) => Promise<Bundle>

/** What `machine init` works with. */
export interface InitContext {
  readonly host: Host
  readonly profileFile: string
  readonly steps: StepList
  readonly log: Log
  /** One passphrase for all connections. */
  readonly keyRing: KeyRing
  readonly askSecret: ((question: string) => Promise<string>) | undefined
  readonly findBundle: FindBundle
  /** How servers are connected to, and nodes asked as visitors do; for tests. */
  readonly connect?: typeof connectSsh
  readonly verify?: typeof verifyNode
  /** The cluster by a profile; `offline`: no machine is asked. `node`: the machine to ask first. */
  openClient(profile: ProfileContent, options: { offline: boolean; node?: string }): Promise<ClusterClient>
  confirm(question: string): Promise<void>
  caution(text: string): void
}
