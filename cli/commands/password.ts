import { Args } from '@oclif/core'
import { MakiError } from '../../core/index.ts'
import { hashPassword, SALT_BYTES } from '../../edge/index.ts'
import { MakiCommand } from '../program/base.ts'

interface PasswordResult {
  readonly user: string
  /** What stands behind the user's name and a colon. */
  readonly hash: string
}

const MIN_LENGTH = 8
/** More than fits into the header in which browsers send it. */
const MAX_LENGTH = 256
const MAX_INPUT_BYTES = 4096

export default class Password extends MakiCommand<PasswordResult> {
  static override summary = 'Make the line that protects a path of a site with a password.'
  static override description =
    'Asks for the password twice, or reads it from standard input, and prints the line for _headers. What is printed does not tell the password; guessing it takes long, if it is a good one. Nothing is sent.'
  static override examples = [
    'maki password ann',
    'pwgen -s 20 1 | tee /dev/stderr | maki password ann',
    'maki password ann --json',
  ]
  static override args = {
    user: Args.string({ required: true, ignoreStdin: true, description: 'The name that visitors type.' }),
  }

  override async run(): Promise<PasswordResult> {
    const { user } = (await this.parse(Password)).args
    if (user.length > 64 || /[\s:\p{Cc}]/u.test(user))
      throw new MakiError('MAKI_USAGE', `${JSON.stringify(user)} can be no user's name`, {
        hint: 'Take 1 to 64 characters without spaces and colons.',
      })
    const password = await this.#readPassword()
    if (password.length > MAX_LENGTH || /\p{Cc}/u.test(password))
      throw new MakiError('MAKI_USAGE', 'a password has one line, of 256 characters at most')
    if (password.length < MIN_LENGTH)
      throw new MakiError('MAKI_USAGE', `the password has fewer than ${MIN_LENGTH} characters`, {
        hint: 'Whoever gets hold of the hash can guess it at leisure: take a longer one.',
      })
    const name = user.normalize('NFC')
    return { user: name, hash: await hashPassword(password, this.host.runtime.randomBytes(SALT_BYTES)) }
  }

  protected format({ user, hash }: PasswordResult): string {
    this.note('Paste it into _headers, indented, below the path that is to be protected:')
    return `  Basic-Auth: ${user}:${hash}`
  }

  async #readPassword(): Promise<string> {
    const { askSecret } = this.host
    if (askSecret === undefined) return readLine(process.stdin)
    const password = await askSecret('Password: ')
    if ((await askSecret('Once more: ')) !== password) throw new MakiError('MAKI_USAGE', 'the two are not the same')
    return password
  }
}

/** All that comes, without the line end behind it. */
async function readLine(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of stream) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_INPUT_BYTES) throw new MakiError('MAKI_USAGE', 'standard input holds more than a password')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
}
