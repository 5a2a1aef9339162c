import * as v from 'valibot'
import { MakiError } from '../../core/index.ts'
import { type Profile, parseToml } from '../config/index.ts'
import { plainLine } from '../output/text.ts'
import { runSetup, type StepList } from '../provision/index.ts'
import { removeResult } from '../setup/index.ts'
import type { OpenServer } from './open-servers.ts'

/** Who a server was set up as; root alone may read it. */
const CONFIG_COMMAND = 'cat /etc/makiatto/makiatto.toml 2>/dev/null; exit 0'

const identitySchema = v.object({
  node: v.object({ name: v.optional(v.string()), cluster: v.optional(v.string()) }),
})

/**
 * Throws MAKI_CONFLICT where the server is set up as a node of another cluster, or as another machine: the profile names the
 * wrong server, or somebody set it up anew. A server without a configuration is nobody's.
 */
export async function checkIdentity(server: OpenServer, profile: Pick<Profile, 'cluster'>): Promise<void> {
  const { ssh, privilege, machine } = server
  const { stdout } = await ssh.run(CONFIG_COMMAND, { privilege })
  const fault = judgeIdentity(stdout, { cluster: profile.cluster, name: machine.name })
  if (fault === undefined) return
  throw new MakiError('MAKI_CONFLICT', `the server at ${machine.sshTarget} ${fault}; nothing was changed there`, {
    hint: `Where ${machine.name} has moved: maki machine set ${machine.name} --ssh-target USER@HOST`,
  })
}

/** What speaks against a server being that machine; undefined where nothing does. Pure. */
export function judgeIdentity(config: string, expected: { cluster: string; name: string }): string | undefined {
  if (config.trim() === '') return undefined
  let values: unknown
  try {
    values = parseToml(config, 'makiatto.toml').values
  } catch {
    return 'has a configuration that cannot be read'
  }
  const parsed = v.safeParse(identitySchema, values)
  if (!parsed.success) return undefined
  const { name, cluster } = parsed.output.node
  if (cluster !== undefined && cluster !== expected.cluster)
    return `is a node of another cluster (${plainLine(cluster)})`
  if (name !== undefined && name.toLowerCase() !== expected.name) return `is set up as ${plainLine(name)}`
  return undefined
}

/**
 * Stops the daemon and has the server put back all that was changed there. Resolves with what could not be put back, a line
 * each. A server where nothing of ours lies is clean.
 */
export async function cleanServer(server: OpenServer, steps: StepList): Promise<readonly string[]> {
  const { facts, ssh, privilege, machine } = server
  if (!facts.isInstalled) {
    await steps.run(`Clean ${machine.sshTarget}`, async (step) => step.same('nothing of makiatto lies there'))
    return []
  }
  const program = facts.running ?? facts.versions.at(-1)
  if (program === undefined)
    throw new MakiError(
      'MAKI_NOT_FOUND',
      `${machine.sshTarget} has files of makiatto, and no program that could take them away`,
      {
        hint: `Set it up anew, then remove it again: maki machine init ${machine.name} ${machine.sshTarget} --recreate`,
      },
    )
  const said = await runSetup(ssh, privilege, program, { do: 'remove' }, (step) => steps.report(step))
  const parsed = v.safeParse(removeResult, said)
  if (parsed.success) return parsed.output.left.map(plainLine)
  throw new MakiError('MAKI_PROTOCOL', `${machine.name} says something else than what is left there`, {
    hint: `maki machine remove ${machine.name} looks again.`,
  })
}
