import { idBytes, type MemberKey } from '../../core/index.ts'
import { plainLine } from '../output/text.ts'

const KEY_TYPE = 'ssh-ed25519'

/**
 * The line of an `authorized_keys` file (sshd(8)) that lets a member's key do one thing: speak the control protocol with
 * the daemon of that machine. The operator's Ed25519 key is its SSH key (RFC 8709 section 4).
 */
export function formatAuthorizedKey(key: MemberKey, name: string): string {
  const blob = Buffer.concat([Buffer.from(KEY_TYPE), Buffer.from(idBytes(key))].flatMap((part) => [length(part), part]))
  return `restrict,command="makiatto stdio" ${KEY_TYPE} ${blob.toString('base64')} ${plainLine(name)}`
}

/** RFC 4251 section 5: a string is its length in four bytes, and its bytes. */
function length(part: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(part.length)
  return bytes
}
