import { isIP } from 'node:net'
import { Args, Flags } from '@oclif/core'
import { MakiError, type NodeName, parseNodeName } from '../../../core/index.ts'
import { findProfilePath } from '../../config/index.ts'
import type { Style } from '../../output/style.ts'
import type { EndedStep, InitResult } from '../../provision/index.ts'
import { initMachine, ProvisionCommand } from '../../provision/index.ts'
import { parseSshTarget } from '../../ssh/index.ts'

interface Result extends InitResult {
  readonly steps: readonly EndedStep[]
}

export default class MachineInit extends ProvisionCommand<Result> {
  static override summary = 'Make a bare server a node of your network.'
  static override description =
    'Connects over SSH, looks whether all is there that a node needs and refuses before anything is changed, brings the program, sets it up as a service, lets it into the cluster and waits until it serves. The first machine makes the cluster, and writes a recovery key to your home folder: keep it elsewhere. What fails is taken back; typed again, it goes on with what is there.'
  static override examples = [
    'maki machine init amsterdam root@203.0.113.1',
    'maki machine init tokyo admin@tokyo.example.org --port 2222 --skip-ns',
    'maki machine init lab root@2001:db8::7 --ipv4 none --ipv6 2001:db8::7 --lat 52.4 --lon 4.9',
  ]
  static override args = {
    name: Args.string({ required: true, ignoreStdin: true, description: 'Its name: letters, digits and hyphens.' }),
    target: Args.string({ required: true, ignoreStdin: true, description: 'Where it is reached: USER@HOST.' }),
  }
  static override flags = {
    port: Flags.integer({ summary: 'The port of SSH there.', helpValue: 'NUMBER' }),
    'skip-ns': Flags.boolean({ summary: 'It is no name server.', exclusive: ['force-ns'] }),
    'force-ns': Flags.boolean({ summary: 'It is a name server, though there are three already.' }),
    recreate: Flags.boolean({ summary: 'Set it up anew though it is a node: what it has there is deleted.' }),
    'binary-path': Flags.string({
      summary: 'The bundle to bring there, instead of this version’s.',
      helpValue: 'FILE',
    }),
    ipv4: Flags.string({ summary: 'Its public IPv4 address, or none.', helpValue: 'ADDRESS' }),
    ipv6: Flags.string({ summary: 'Its public IPv6 address, or none.', helpValue: 'ADDRESS' }),
    lat: Flags.string({
      summary: 'Where it stands: latitude, north is positive.',
      helpValue: 'DEGREES',
      dependsOn: ['lon'],
    }),
    lon: Flags.string({
      summary: 'Where it stands: longitude, east is positive.',
      helpValue: 'DEGREES',
      dependsOn: ['lat'],
    }),
    yes: Flags.boolean({
      char: 'y',
      summary: 'Ask nothing: take the host key of a new server, and delete with --recreate.',
    }),
  }

  override async run(): Promise<Result> {
    const { args, flags } = await this.parse(MachineInit)
    if (flags.offline)
      throw new MakiError('MAKI_USAGE', 'a server cannot be set up with --offline', { hint: 'Leave --offline out.' })
    const { host } = this
    const profileFile = findProfilePath(flags.profile, host.env)
    const place = flags.lat === undefined || flags.lon === undefined ? undefined : parsePlace(flags.lat, flags.lon)
    const request = {
      name: parseMachineName(args.name),
      target: parseSshTarget(args.target, flags.port),
      nameserver: flags['skip-ns'] ? 'skip' : flags['force-ns'] ? 'force' : 'usual',
      recreate: flags.recreate,
      binaryPath: flags['binary-path'],
      ipv4: parseAddress('ipv4', flags.ipv4),
      ipv6: parseAddress('ipv6', flags.ipv6),
      place,
      yes: flags.yes,
    } as const
    if (request.ipv4 === 'none' && request.ipv6 === 'none')
      throw new MakiError('MAKI_USAGE', 'a machine without any address serves nobody', {
        hint: 'Leave --ipv4 or --ipv6 out.',
      })
    // Loaded here: help does not wait for what makes bundles.
    const { findBundle } = await import('../../bundle/index.ts')
    using steps = this.createSteps()
    const keyRing = await this.createKeyRing(flags, profileFile, steps)
    const result = await initMachine(
      {
        host,
        profileFile,
        steps,
        log: this.eventLog,
        keyRing,
        askSecret: keyRing.questions.askSecret,
        findBundle,
        openClient: (profile, options) => this.openProfile(profile, flags, keyRing, options),
        confirm: (question) => this.confirm(question, flags.yes),
        caution: (text) => this.caution(text),
      },
      request,
    )
    if (result.faults.length > 0) this.exitCode = 1
    return { ...result, steps: steps.ended }
  }

  protected format({ name, recoveryKey, faults, nameserver, profile }: Result, style: Style): string {
    const lines =
      faults.length === 0
        ? [`${style.good('Ready:')} ${name} is a node${nameserver ? ' and name server' : ''} of your network.`]
        : [`${style.warn('Set up:')} ${name} is a node of your network, but:`, ...faults.map((fault) => `  - ${fault}`)]
    if (recoveryKey !== null) {
      lines.push(
        '',
        `The recovery key of your cluster is in ${recoveryKey}`,
        'It outranks every other key and is the way back when all are lost. Move it to a place that is not on this computer, now.',
        `The profile is ${profile}. What to publish: maki sync, in a folder with a makiatto.toml.`,
      )
    }
    return lines.join('\n')
  }
}

/** A machine's name is a part of that of a name server, which underscores must not be in (RFC 1123 section 2.1). */
function parseMachineName(text: string): NodeName {
  const name = parseNodeName(text)
  if (/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name)) return name
  throw new MakiError('MAKI_USAGE', `${JSON.stringify(text)} cannot be the name of a name server`, {
    hint: 'Use letters, digits and hyphens, no hyphen at either end.',
  })
}

function parseAddress(family: 'ipv4' | 'ipv6', text: string | undefined): string | undefined {
  if (text === undefined || text === 'none') return text
  if (isIP(text) === (family === 'ipv4' ? 4 : 6) && !text.includes('%')) return text
  throw new MakiError(
    'MAKI_USAGE',
    `--${family}: ${JSON.stringify(text)} is no ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address`,
    {
      hint: `It looks like ${family === 'ipv4' ? '203.0.113.7' : '2001:db8::7'}; none for none.`,
    },
  )
}

function parsePlace(lat: string, lon: string): { latitude: number; longitude: number } {
  const read = (flag: string, text: string, most: number): number => {
    const degrees = Number(text)
    if (text.trim() !== '' && Number.isFinite(degrees) && Math.abs(degrees) <= most) return degrees
    throw new MakiError('MAKI_USAGE', `--${flag}: ${JSON.stringify(text)} is no number from -${most} to ${most}`, {
      hint: 'Degrees, north and east positive: --lat 52.37 --lon 4.9',
    })
  }
  return { latitude: read('lat', lat, 90), longitude: read('lon', lon, 180) }
}
