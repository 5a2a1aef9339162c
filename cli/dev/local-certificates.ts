import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import {
  asMakiError,
  type CertificateName,
  type CertificateValue,
  type Hostname,
  isWithin,
  keys,
  parseCertificateChain,
  type Runtime,
  type State,
  sealPurpose,
} from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { hasErrno } from '../client/identity.ts'
import { requireSealEpoch, sealFor } from '../client/sealing.ts'
import { writeFileAtomically } from '../config/index.ts'
import { type CertificateNames, makeLocalAuthority } from './local-authority.ts'

/** A domain as the project has it. */
export interface LocalDomain {
  readonly name: Hostname
  readonly aliases: readonly Hostname[]
}

/** Certificates are made anew so long before their end. */
const SOON_MS = 30 * 86_400_000

/**
 * The names that a domain is found by on this computer, for one certificate: its own, those of its previews and aliases, and
 * all of them below `localhost`. Pure.
 */
export function listLocalNames({ name: apex, aliases }: LocalDomain): CertificateNames {
  const hosts = [apex, ...aliases.filter((alias) => !isCovered(alias, apex))]
  const local = hosts.filter((host) => !isWithin(host, 'localhost')).map((host) => `${host}.localhost`)
  const names = [...new Set([...hosts, ...local].flatMap((host) => [host, `*.${host}`]))]
  return names.map((name) => name as CertificateName) as [CertificateName, ...CertificateName[]]
}

const isCovered = (host: string, apex: string): boolean => host.slice(host.indexOf('.') + 1) === apex

/**
 * Sees to it that every domain has a certificate of the authority in the file, which is made anew with all certificates when some name
 * has none, or one ends within a month. True when it was.
 */
export async function keepLocalCertificates(
  client: ClusterClient,
  domains: readonly LocalDomain[],
  options: { readonly file: string; readonly runtime: Runtime },
): Promise<boolean> {
  const { file, runtime } = options
  const sets = domains.map(listLocalNames)
  const nowMs = runtime.now()
  if (sets.length === 0 || areCurrent(client.state, await readAuthority(file), sets, nowMs)) return false
  const { certificate, issued } = await makeLocalAuthority(sets, nowMs)
  const epoch = await requireSealEpoch(client)
  const changes = issued.map(async ({ names, chain, key }) => {
    const [name] = names
    const { pem, notBeforeMs, notAfterMs } = parseCertificateChain(chain)
    const sealed = await sealFor(client, epoch, sealPurpose.certificate(name), new TextEncoder().encode(key))
    const value = { name, names: [...names].sort(), chain: pem, key: sealed, notBeforeMs, notAfterMs }
    return { kind: 'certificate.set', ...value } as const
  })
  // First the file: certificates that nobody can check would help nobody.
  await writeFileAtomically(file, certificate, { mode: 0o644, runtime })
  const { id } = await client.commit(await Promise.all(changes), { signer: await client.requireSigner() })
  await client.exchange(id)
  return true
}

function areCurrent(
  state: State,
  authority: X509Certificate | undefined,
  sets: readonly CertificateNames[],
  nowMs: number,
): boolean {
  if (authority === undefined) return false
  return sets.every((names) => {
    const value = state.get(keys.certificate(names[0]))?.value as CertificateValue | undefined
    if (value === undefined) return false
    try {
      const { leaf, names: has, notAfterMs } = parseCertificateChain(value.chain)
      const isOurs = leaf.checkIssued(authority) && leaf.verify(authority.publicKey)
      return isOurs && notAfterMs - SOON_MS > nowMs && names.every((name) => has.includes(name))
    } catch {
      return false
    }
  })
}

/** Undefined where there is none, or what is no certificate: another one is made. Throws where it cannot be looked at. */
async function readAuthority(file: string): Promise<X509Certificate | undefined> {
  try {
    return new X509Certificate(await readFile(file))
  } catch (error) {
    const isNone = hasErrno(error, 'ENOENT') || !hasErrno(error, 'EACCES')
    if (isNone) return undefined
    throw asMakiError(error)
  }
}
