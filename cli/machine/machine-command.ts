import type { OperationId } from '../../core/index.ts'
import type { ClusterStatus } from '../../edge/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import type { Connect } from '../client/connect.ts'
import type { MissedMachine } from '../client/spread.ts'
import type { Profile } from '../config/index.ts'
import { type GlobalFlags, MakiCommand } from '../program/base.ts'
import { listMachines, type NamedMachine } from './choose-machines.ts'
import type { ServerAccess } from './open-server.ts'

export type AccessFlags = Pick<GlobalFlags, 'profile' | 'key' | 'node' | 'offline' | 'ssh-priv-key'>

/** What commands about machines have in common. */
export abstract class MachineCommand<Result> extends MakiCommand<Result> {
  /** All machines, of the profile and of the cluster as the copy on this computer has it. */
  protected machinesOf(client: ClusterClient): readonly NamedMachine[] {
    return listMachines(client.profile, client.state)
  }

  /** What the node that answers knows of all; undefined where none was asked. */
  protected async statusOf(client: ClusterClient): Promise<ClusterStatus | undefined> {
    const reached = await client.reach()
    return reached?.control.status({ signal: this.host.signal }).catch(() => reached.status)
  }

  /** Control sockets of machines, one by one. */
  protected connectOf(profile: Profile, flags: AccessFlags): Connect {
    return this.createConnect(profile, flags)
  }

  /** The way to the servers of a profile over SSH. */
  protected accessOf(profile: Profile, flags: AccessFlags): ServerAccess {
    const keyRing = this.keyRing(profile, flags)
    return { host: this.host, keyRing, onNote: (text) => this.note(text), profileFile: profile.file }
  }
}

/** Where an operation went: a node, or it waits here. */
export interface Delivery {
  readonly operation: OperationId
  readonly node: string | null
  /** Machines that did not take it from here, of an operation that is brought to all of them; else absent. */
  readonly missed?: readonly MissedMachine[]
}
