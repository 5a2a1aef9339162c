import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** One thing that a person gets wrong, and what must come of it. */
export interface Mistake {
  readonly name: string
  /** Text of makiatto.toml; a sound project of `files.test` unless it says otherwise. */
  readonly toml?: string
  /** Changes the project's folder after a sound site was written. */
  readonly spoil?: (folder: string) => void
  /** `sync` unless it says otherwise. */
  readonly args?: readonly string[]
  readonly env?: Record<string, string>
  readonly code: number
  /** All of them stand in what is printed. */
  readonly says: readonly (string | RegExp)[]
}

/** A project file that is as it should be. */
export const SOUND = '[[domain]]\nname = "files.test"\npath = "public"\n'
const inPublic = (act: (folder: string) => void) => (folder: string) => act(join(folder, 'public'))
const record = (...args: string[]): readonly string[] => ['record', 'set', 'base.test', ...args]

/** What is wrong with a project file, a site's folder, a command line or a record. */
export const MISTAKES: readonly Mistake[] = [
  // The project file.
  {
    name: 'no project file',
    spoil: (f) => rmSync(join(f, 'makiatto.toml')),
    code: 2,
    says: ['there is no project file', '--config FILE'],
  },
  {
    name: 'broken TOML',
    toml: '[[domain]\nname = "a.test"\n',
    code: 2,
    says: ['makiatto.toml:2:', 'or a closed table header', 'Correct line 2'],
  },
  {
    name: 'a text without its end',
    toml: `${SOUND}spa = "true\n`,
    code: 2,
    says: ['makiatto.toml:4:', 'no closing quote'],
  },
  {
    name: 'a value that is missing',
    toml: '[[domain]]\nname =\npath = "public"\n',
    code: 2,
    says: ['makiatto.toml:2:', 'a value is missing'],
  },
  { name: 'a key that stands twice', toml: `${SOUND}path = "public"\n`, code: 2, says: ['makiatto.toml:4:', 'twice'] },
  {
    name: 'wrong types',
    toml: '[[domain]]\nname = 5\npath = "public"\nspa = "yes"\n',
    code: 2,
    says: ['makiatto.toml:2:', 'makiatto.toml:4:', 'text in quotes', 'true or false'],
  },
  {
    name: 'an unknown key with --strict',
    toml: `${SOUND}aliasses = ["www.files.test"]\n`,
    args: ['sync', '--strict'],
    code: 2,
    says: ['makiatto.toml:4:', 'domain[0].aliasses: unknown key', 'did you mean "aliases"?'],
  },
  { name: 'no domain', toml: 'project = "x"\n', code: 2, says: ['there is no [[domain]]', 'path = "./dist"'] },
  {
    name: 'an invalid domain name',
    toml: '[[domain]]\nname = "exa mple.test"\npath = "public"\n',
    code: 2,
    says: ['makiatto.toml:2:', 'exa mple.test'],
  },
  {
    name: 'a name that is not ASCII',
    toml: '[[domain]]\nname = "bücher.test"\npath = "public"\n',
    code: 2,
    says: ['makiatto.toml:2:', 'bücher.test'],
  },
  {
    name: 'an alias that another domain is',
    toml: `${SOUND}aliases = ["b.test"]\n[[domain]]\nname = "b.test"\npath = "public"\n`,
    code: 2,
    says: ['makiatto.toml:4:', 'b.test stands on line'],
  },
  {
    name: 'a record value that does not parse',
    toml: `${SOUND}[[domain.records]]\ntype = "A"\nvalue = "192.0.2"\n`,
    code: 2,
    says: ['makiatto.toml:6:', '192.0.2'],
  },
  {
    name: 'a record type that is none',
    toml: `${SOUND}[[domain.records]]\ntype = "A RECORD"\nvalue = "192.0.2.1"\n`,
    code: 2,
    says: ['makiatto.toml:5:', 'record type'],
  },
  {
    name: 'a TTL below nothing',
    toml: `${SOUND}[[domain.records]]\ntype = "A"\nvalue = "192.0.2.1"\nttl = -1\n`,
    code: 2,
    says: ['makiatto.toml:7:', 'whole number'],
  },
  {
    name: 'path and redirect',
    toml: `${SOUND}redirect = "https://example.com"\n`,
    code: 2,
    says: ['a path and a redirect'],
  },
  {
    name: 'a function whose component is missing',
    toml: `${SOUND}[[domain.functions]]\npath = "a.wasm"\n`,
    code: 2,
    says: ['makiatto.toml:5:', 'there is no such file', 'Build it first'],
  },
  // The site's folder.
  {
    name: 'a folder that is missing',
    toml: SOUND.replace('public', 'dist'),
    code: 2,
    says: ['makiatto.toml:3:', 'there is no such folder', 'dist'],
  },
  {
    name: 'a path that is a file',
    toml: SOUND.replace('public', 'makiatto.toml'),
    code: 2,
    says: ['that is not a folder'],
  },
  {
    name: 'an empty folder',
    spoil: inPublic((f) => rmSync(join(f, 'index.html'))),
    code: 2,
    says: ['no files to publish', '--allow-empty'],
  },
  {
    name: 'a folder with nothing but dotfiles',
    spoil: inPublic((f) => {
      rmSync(join(f, 'index.html'))
      writeFileSync(join(f, '.env'), 'SECRET=1')
    }),
    code: 2,
    says: ['no files to publish', '.env', '--allow-empty'],
  },
  {
    name: 'a file that may not be read',
    spoil: inPublic((f) => chmodSync(join(f, 'index.html'), 0o000)),
    code: 2,
    says: ['"index.html" may not be read by you', 'chmod u+r'],
  },
  {
    name: 'a folder that may not be read',
    spoil: inPublic((f) => {
      mkdirSync(join(f, 'secret'))
      chmodSync(join(f, 'secret'), 0o000)
    }),
    code: 2,
    says: ['"secret" may not be read by you'],
  },
  {
    name: 'a link that leaves the site',
    spoil: inPublic((f) => symlinkSync('/etc/passwd', join(f, 'users.txt'))),
    code: 2,
    says: ['"users.txt" is a link that leaves the site', '/etc/passwd'],
  },
  {
    name: 'a link to a folder outside',
    spoil: inPublic((f) => symlinkSync('..', join(f, 'up'))),
    code: 2,
    says: ['"up" is a link that leaves the site'],
  },
  {
    name: 'a link that leads to nothing',
    spoil: inPublic((f) => symlinkSync('gone.html', join(f, 'a.html'))),
    code: 2,
    says: ['"a.html" is a link that leads to nothing'],
  },
  {
    name: 'a link in a circle',
    spoil: inPublic((f) => symlinkSync('loop', join(f, 'loop'))),
    code: 2,
    says: ['"loop" is a link that leads to itself'],
  },
  {
    name: 'a link to the folder it is in',
    spoil: inPublic((f) => symlinkSync('.', join(f, 'self'))),
    code: 2,
    says: ['"self" is a link', 'a folder that contains it'],
  },
  {
    name: 'a link to a dotfile',
    spoil: inPublic((f) => {
      writeFileSync(join(f, '.env'), 'x')
      symlinkSync('.env', join(f, 'env.txt'))
    }),
    code: 2,
    says: ['"env.txt" is a link', 'never published'],
  },
  {
    name: 'a named pipe',
    spoil: inPublic((f) => execFileSync('mkfifo', [join(f, 'pipe')])),
    code: 2,
    says: ['"pipe" is a named pipe, not a file'],
  },
  {
    name: 'a name that is not UTF-8',
    spoil: inPublic((f) => writeFileSync(Buffer.concat([Buffer.from(`${f}/caf`), Buffer.from([0xe9])]), 'x')),
    code: 2,
    says: ['a file whose name is not UTF-8: caf\\xe9'],
  },
  // The command line.
  { name: 'a command that is none', args: ['snyc'], code: 2, says: ['there is no command maki snyc', 'maki sync'] },
  {
    name: 'a flag that is none',
    args: ['sync', '--dryrun'],
    code: 2,
    says: ['there is no flag --dryrun', '--dry-run'],
  },
  { name: 'a choice that is none', args: ['sync', '--wait', 'forever'], code: 2, says: ['forever'] },
  {
    name: 'a node that is none',
    args: ['status', '--node', 'node4'],
    code: 2,
    says: ['no node "node4"', /Try: --node node\d/],
  },
  {
    name: 'no profile',
    args: ['status'],
    env: { MAKIATTO_PROFILE: 'nowhere.toml' },
    code: 2,
    says: ['there is no profile', 'nowhere.toml', 'maki dev'],
  },
  {
    name: 'a profile that is a site',
    args: ['status'],
    env: { MAKIATTO_PROFILE: 'public/index.html' },
    code: 2,
    says: ['public/index.html:1:'],
  },
  {
    name: 'a cluster without nodes',
    args: ['dev', '--nodes', '0'],
    code: 2,
    says: ['--nodes 0 is not possible', '1 to 100'],
  },
  {
    name: 'a port that is none',
    args: ['dev', '--http-port', '70000'],
    code: 2,
    says: ['--http-port 70000 is not possible'],
  },
  {
    name: 'ports that overlap',
    args: ['dev', '--http-port', '8080', '--dns-port', '8081'],
    code: 2,
    says: ['overlap', 'maki dev --http-port 8080 --dns-port'],
  },
  {
    name: 'a cluster in the folder of the site',
    args: ['dev', '--data', 'public'],
    code: 2,
    says: ['public holds something else (index.html)', '--data'],
  },
  // Records.
  {
    name: 'a domain that is none',
    args: ['record', 'set', 'bsae.test', 'www', 'A', '192.0.2.1'],
    code: 4,
    says: ['no domain bsae.test', 'base.test'],
  },
  { name: 'an address that is none', args: record('www', 'A', '192.0.2.256'), code: 2, says: ['192.0.2.256'] },
  { name: 'an IPv6 address as A', args: record('www', 'A', '2001:db8::1'), code: 2, says: ['2001:db8::1'] },
  {
    name: 'a mail server without priority',
    args: record('@', 'MX', 'mail.base.test'),
    code: 2,
    says: ['mail.base.test'],
  },
  { name: 'a CNAME at the apex', args: record('@', 'CNAME', 'other.test'), code: 2, says: ['apex', 'CNAME'] },
  { name: 'a name with a space', args: record('my host', 'A', '192.0.2.1'), code: 2, says: ['my host'] },
  { name: 'a label that is too long', args: record('a'.repeat(64), 'A', '192.0.2.1'), code: 2, says: ['aaaa'] },
  { name: 'a TTL that is no number', args: record('www', 'A', '192.0.2.1', '--ttl', '1h'), code: 2, says: ['1h'] },
  { name: 'nothing to set', args: record('www', 'A'), code: 2, says: [/values?/] },
  {
    name: 'a release that is none',
    args: ['rollback', 'base.test', 'zzzz'],
    code: 4,
    says: ['no release "zzzz"', 'There are: '],
  },
  { name: 'a rollback with nothing before', args: ['rollback', 'base.test'], code: 4, says: ['no release before'] },
  {
    name: 'a time that is none',
    args: ['history', '--since', 'yesterdayish'],
    code: 2,
    says: ['"yesterdayish" is not a time', '30m'],
  },
]
