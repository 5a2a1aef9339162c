import { MakiError } from '../../core/index.ts'
import { requireProgram } from './change-server.ts'
import { SERVER_PATHS, SERVICE_USER } from './paths.ts'
import type { Server, StepOutcome, Work } from './server.ts'

/** What the daemon runs as. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

const USER_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/

/** Undefined where there is no such user; with its home and shell otherwise. */
export async function findAccount(server: Server): Promise<(Account & { home: string; shell: string }) | undefined> {
  const { code, stdout } = await server.run('getent', ['passwd', SERVICE_USER])
  if (code !== 0) return undefined
  const [, , uid, gid, , home = '', shell = ''] = stdout.trim().split(':')
  return { uid: Number(uid), gid: Number(gid), home, shell }
}

/** Throws MAKI_CONFLICT for a user of that name that is somebody else's. */
export async function refuseForeignAccount({ server, journal }: Work): Promise<void> {
  if (journal.has({ kind: 'account' })) return
  const found = await findAccount(server)
  const group = await server.run('getent', ['group', SERVICE_USER])
  if (found === undefined && group.code !== 0) return
  throw new MakiError(
    'MAKI_CONFLICT',
    `there is a ${found === undefined ? 'group' : 'user'} ${SERVICE_USER} on this server that was not made by Makiatto’s setup`,
    {
      hint: `Where it is left over from an earlier installation: sudo userdel ${SERVICE_USER}; sudo groupdel ${SERVICE_USER}\nthen run the command again.`,
    },
  )
}

/** The system user, and who may use the control socket besides root. */
export async function placeAccount({ server, journal }: Work, users: readonly string[]): Promise<StepOutcome> {
  const known = await findAccount(server)
  if (known === undefined) {
    await journal.record({ kind: 'account' })
    const options = ['--system', '--user-group', '--no-create-home', '--home-dir', SERVER_PATHS.data]
    await requireProgram(server, 'useradd', [...options, '--shell', await findNoLogin(server), SERVICE_USER])
  }
  for (const user of users) await admit(server, user)
  return known === undefined ? undefined : { same: `${SERVICE_USER} is there` }
}

async function admit(server: Server, user: string): Promise<void> {
  if (!USER_NAME.test(user)) throw new MakiError('MAKI_INVALID', `${JSON.stringify(user)} is not a name of a user`)
  const { code, stdout } = await server.run('id', ['-nG', user])
  if (code !== 0) throw new MakiError('MAKI_NOT_FOUND', `there is no user ${user} on this server`)
  if (stdout.split(/\s+/).includes(SERVICE_USER)) return
  // Goes with the group.
  await requireProgram(server, 'usermod', ['-a', '-G', SERVICE_USER, user])
}

async function findNoLogin(server: Server): Promise<string> {
  const { code } = await server.run('test', ['-x', '/usr/sbin/nologin'])
  return code === 0 ? '/usr/sbin/nologin' : '/sbin/nologin'
}
