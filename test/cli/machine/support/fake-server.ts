import { Duplex, PassThrough } from 'node:stream'
import * as v from 'valibot'
import type { OpenServer } from '../../../../cli/machine/open-servers.ts'
import { parseServerFacts, type ServerFacts } from '../../../../cli/machine/server-facts.ts'
import { type SetupEvent, type SetupRequest, setupRequest } from '../../../../cli/setup/index.ts'
import type { RemoteOutcome, RemoteProcess, SshHost } from '../../../../cli/ssh/index.ts'
import type { NodeName } from '../../../../core/index.ts'

/** What `makiatto setup` of a server answers, and which program was asked. */
export type Answer = (request: SetupRequest, program: string) => readonly SetupEvent[] | Promise<readonly SetupEvent[]>

export const versionOf = (digit: string): string => digit.repeat(64)

/** A server at the other end of a connection, by its own words: for what it says that no server would. */
export function fakeServer(
  name: string,
  options: { answer: Answer; running?: string; facts?: Partial<ServerFacts>; config?: string; control?: string },
): OpenServer {
  const base = parseServerFacts(
    `processor x86_64\ninstalled /var/makiatto\n${options.running === undefined ? '' : `current /opt/makiatto/versions/${options.running}\nversion ${options.running}\n`}unit ActiveState=active\nunit SubState=running\n`,
  ) as ServerFacts
  const ssh: SshHost = {
    target: { user: 'root', host: name, port: 22 },
    hostKey: 'ssh-ed25519 AAAA',
    address: '127.0.0.1',
    run: async (): Promise<RemoteOutcome> => ({ code: 0, signal: undefined, stdout: options.config ?? '', stderr: '' }),
    start: async () => startSetup(options.answer),
    openControl: async () => new PassThrough(),
    [Symbol.asyncDispose]: async () => {},
  }
  return {
    machine: { name: name as NodeName, sshTarget: `root@${name}`, isNameserver: true, control: options.control },
    ssh,
    privilege: { kind: 'root' },
    facts: { ...base, ...options.facts },
    [Symbol.asyncDispose]: async () => {},
  }
}

function startSetup(answer: Answer): RemoteProcess {
  let heard = ''
  const ended = Promise.withResolvers<{ code: number | null; signal: string | undefined }>()
  const stdio = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      heard += String(chunk)
      const [program, line, ...rest] = heard.split('\n')
      if (rest.length > 0 && program !== undefined && line !== undefined) {
        heard = ''
        void Promise.resolve(answer(v.parse(setupRequest, JSON.parse(line)), program)).then((events) => {
          for (const event of events) stdio.push(`${JSON.stringify(event)}\n`)
          stdio.push(null)
          ended.resolve({ code: 0, signal: undefined })
        })
      }
      done()
    },
  })
  const stderr = new PassThrough()
  stderr.end()
  return { stdio, stderr, ended: ended.promise }
}

export const result = (value: unknown): readonly SetupEvent[] => [{ event: 'result', result: value }]
