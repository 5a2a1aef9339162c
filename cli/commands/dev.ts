import { join, resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { MakiError } from '../../core/index.ts'
import { ClusterClient } from '../client/cluster-client.ts'
import { ClusterSyncTarget } from '../client/cluster-sync-target.ts'
import {
  type DevEvent,
  devFolderAt,
  formatEvent,
  keepLocalCertificates,
  MAX_NODES,
  type Publish,
  runDev,
} from '../dev/index.ts'
import { formatJson } from '../output/text.ts'
import { MakiCommand } from '../program/base.ts'
import { runSync, type SyncPlan } from '../project/index.ts'

export default class Dev extends MakiCommand<never> {
  static override summary = 'Run a cluster on this computer, and publish the project to it whenever a file changes.'
  static override description =
    'Node i serves HTTP on the HTTP port + i - 1 and DNS on the DNS port + i - 1, all on 127.0.0.1; neither root nor WireGuard is needed. The cluster is kept in the data folder. Ctrl-C ends it.'
  static override examples = [
    'maki dev',
    'maki dev examples/site --nodes 5',
    'maki dev --fresh --http-port 9080 --dns-port 6300',
    'maki dev --tls',
  ]
  static override args = {
    dir: Args.string({ ignoreStdin: true, description: 'The folder of makiatto.toml; this one when left out.' }),
  }
  static override flags = {
    nodes: Flags.integer({ default: 3, summary: `How many nodes: 1 to ${MAX_NODES}.` }),
    'http-port': Flags.integer({ default: 8080, summary: 'Where node 1 serves HTTP.' }),
    'dns-port': Flags.integer({ default: 5300, summary: 'Where node 1 answers DNS.' }),
    data: Flags.string({ default: '.makiatto', helpValue: 'FOLDER', summary: 'Where the cluster is kept.' }),
    fresh: Flags.boolean({ summary: 'Start over; the cluster before is kept under another name.' }),
    tls: Flags.boolean({
      summary: 'Serve HTTPS too, on the HTTP port + 100 + i - 1, with certificates for this computer.',
    }),
  }

  protected override get showsWaiting(): boolean {
    return false
  }

  override async run(): Promise<never> {
    const { args, flags } = await this.parse(Dev)
    if (flags.node !== undefined) {
      throw new MakiError('MAKI_USAGE', '--node chooses the node to ask, and maki dev asks none', {
        hint: 'To say how many nodes it runs: maki dev --nodes 3',
      })
    }
    const { cwd, signal } = this.host
    const dataPath = resolve(cwd, flags.data)
    await runDev({
      projectFile: args.dir === undefined ? resolve(cwd, flags.config) : join(resolve(cwd, args.dir), 'makiatto.toml'),
      dataPath,
      shape: { nodes: flags.nodes, httpPort: flags['http-port'], dnsPort: flags['dns-port'], tls: flags.tls },
      fresh: flags.fresh,
      host: this.host,
      log: this.eventLog,
      publish: (project, profile, tell) => this.#publish(project, profile, tell, flags.tls ? dataPath : undefined),
      tell: (event) => this.#tell(event),
    })
    // It ran until it was interrupted, which the shell is told by the exit code.
    throw signal.reason
  }

  protected override format(): string {
    return ''
  }

  /** With certificates, where it is told the folder that their authority is kept in. */
  async #publish(
    ...[project, profile, { warn, note }, secured]: [...Parameters<Publish>, string | undefined]
  ): ReturnType<Publish> {
    const { host } = this
    const log = this.eventLog
    await using client = await ClusterClient.open({ profile, host, log, offline: false, onCaution: warn })
    const target = await ClusterSyncTarget.open(client)
    if (target.machine === undefined) throw client.unreachableError()
    const { published } = await runSync({
      project,
      target,
      runtime: host.runtime,
      signal: host.signal,
      cacheFile: join(profile.dataFolder, 'hashes.cache'),
      report: (event) => {
        if (event.event === 'warned') warn(event.message)
        if (event.event === 'planned') for (const note of listNotes(event.plan)) warn(note)
      },
      // What is edited by hand while it runs is wanted, also an older commit.
      options: { force: true },
    })
    if (secured !== undefined) {
      const { authority: file } = devFolderAt(secured)
      if (await keepLocalCertificates(client, project.domains, { file, runtime: host.runtime }))
        note(`New certificates for this computer; who vouches for them is in ${file}, and can vouch for nothing else.`)
    }
    return published
  }

  #tell(event: DevEvent): void {
    const { stdout, env, cwd } = this.host
    if (this.isJson) {
      stdout.write(`${formatJson(event)}\n`)
      return
    }
    const program = env.npm_lifecycle_event === undefined ? 'maki' : 'npx maki'
    const text = formatEvent(event, { cwd, program, style: this.style })
    if (text !== '') stdout.write(`${text}\n`)
  }
}

/** What nobody else says while nobody types `maki sync`: records that are not answered, say. */
const listNotes = ({ domains }: SyncPlan): string[] =>
  domains
    .filter(({ held }) => held === undefined)
    .flatMap(({ lines }) => lines.flatMap(({ kind, text }) => (kind === 'note' ? [text] : [])))
