import type { ErrorShape, Hostname } from '../../core/index.ts'
import type { Published } from '../project/index.ts'
import type { LogLine } from './told-lines.ts'

/** A node that runs, and where it is reached. */
export interface RunningNode {
  readonly name: string
  /** `http://127.0.0.1:8080` */
  readonly http: string
  /** `https://127.0.0.1:8180`; with --tls only. */
  readonly https?: string
  /** `127.0.0.1:5300`, UDP and TCP. */
  readonly dns: string
  /** Path of its control socket. */
  readonly control: string
}

/** What `maki dev` tells; with `--json` each is one line. */
export type DevEvent =
  /** Something that a person should know about the data folder. */
  | { readonly event: 'note'; readonly message: string }
  /** All nodes run and the project was published, or told why not. */
  | {
      readonly event: 'ready'
      readonly profile: string
      readonly nodes: readonly RunningNode[]
      readonly domains: readonly Hostname[]
      /** Path of the certificate that vouches for those of the nodes, PEM; with --tls only. */
      readonly ca?: string
    }
  /** The cluster is as the project says; nothing was published when it was so before. */
  | { readonly event: 'synced'; readonly published: readonly Published[] }
  | { readonly event: 'sync-failed'; readonly error: ErrorShape }
  | { readonly event: 'warned'; readonly message: string }
  | {
      readonly event: 'node-died'
      readonly node: string
      readonly how: string
      readonly lastLines: readonly string[]
      readonly retryMs: number
    }
  /** A node's log has a line about a component; `lost` lines before it are in the log only. */
  | { readonly event: 'logged'; readonly node: string; readonly line: LogLine; readonly lost: number }
  | { readonly event: 'node-recovered'; readonly node: string; readonly pid: number }
  | { readonly event: 'stopped' }
