import { Args, Flags } from '@oclif/core'
import {
  type Hostname,
  type MemberKey,
  type OperationId,
  parseHostname,
  parseMemberKey,
  shortId,
} from '../../../core/index.ts'
import type { MissedMachine } from '../../client/spread.ts'
import { formatAuthorizedKey } from '../../member/authorized-key.ts'
import { listMembers } from '../../member/members.ts'
import { planAddition } from '../../member/plan-addition.ts'
import type { Style } from '../../output/style.ts'
import { plainLine } from '../../output/text.ts'
import { MakiCommand } from '../../program/base.ts'

interface AddResult {
  readonly changed: boolean
  readonly name: string
  readonly key: MemberKey
  readonly role: 'operator' | 'deployer'
  /** Of a deployer, those from before included; null for an operator. */
  readonly domains: readonly Hostname[] | null
  /** For the machines: binds the key to the daemon's control protocol. */
  readonly authorizedKey: string
  readonly operation: OperationId | null
  readonly node: string | null
  /** Machines that did not take it from here; absent where nothing was written. */
  readonly missed?: readonly MissedMachine[]
}

export default class OperatorAdd extends MakiCommand<AddResult> {
  static override summary = 'Let another key change the cluster: of a person, or of a CI job.'
  static override description =
    'An operator may do everything, and ranks below you. A deployer may publish, hold, purge and roll back releases of its domains, and nothing else. Adding a member again can only give more: further domains, or a deployer made operator. It prints the authorized_keys line that lets the key speak with the daemon of a machine and do nothing else there.'
  static override examples = [
    'maki operator add ann k3v7q2mddaq4…',
    'maki operator add ci k3v7q2mddaq4… --role deployer --domain example.com',
  ]
  static override args = {
    name: Args.string({ required: true, ignoreStdin: true, description: 'What people call it.' }),
    pubkey: Args.string({ required: true, ignoreStdin: true, description: 'The public key (maki operator key).' }),
  }
  static override flags = {
    role: Flags.option({ options: ['operator', 'deployer'] as const })({
      default: 'operator',
      summary: 'What it may do.',
    }),
    domain: Flags.string({
      multiple: true,
      helpValue: 'DOMAIN',
      summary: 'A domain that a deployer may publish; repeat it for more.',
    }),
  }

  override async run(): Promise<AddResult> {
    const { args, flags } = await this.parse(OperatorAdd)
    const key = parseMemberKey(args.pubkey)
    const domains = (flags.domain ?? []).map(parseHostname)
    await using client = await this.openClient(flags)
    await client.exchange()
    const signer = await client.requireSigner()
    const { replica } = client.local
    const request = { name: args.name, key, role: flags.role, domains }
    const plan = planAddition(replica, await listMembers(replica), request)
    for (const note of plan.notes) this.caution(plainLine(note))
    const result = {
      name: args.name,
      key,
      role: flags.role,
      domains: plan.domains,
      authorizedKey: formatAuthorizedKey(key, args.name),
    }
    if (plan.change === undefined) return { ...result, changed: false, operation: null, node: null }
    const operation = await client.commit([plan.change], { signer })
    const { machine } = await this.send(client, operation.id)
    const missed = await this.tellAll(client, operation, [machine])
    return { ...result, changed: true, operation: operation.id, node: machine ?? null, missed }
  }

  protected format({ changed, name, key, role, domains, authorizedKey, node }: AddResult, style: Style): string {
    const what = `the ${role} ${plainLine(name)} (${shortId(key)})${domains === null ? '' : ` for ${domains.join(', ')}`}`
    const done = changed
      ? `${style.good('Added')} ${what}${node === null ? '' : ` at ${node}`}.`
      : `${what} is a member already; nothing was written.`
    return `${done}\n\nFor authorized_keys on the machines:\n${authorizedKey}`
  }
}
