import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ControlClient } from '../../cli/client/control-client.ts'
import { connectSsh, type SshConnection } from '../../cli/ssh/index.ts'
import { systemRuntime } from '../../cli/system.ts'
import { makeKey, Sshd } from '../support/sshd.ts'
import { latencies, line, spread, title } from './report.ts'
import { summarize } from './stats.ts'

const SIZE_BYTES = 100_000_000
const ROUNDS = 7
const REQUESTS = 200
const run = promisify(execFile)

/** Uploads beside scp, in turn, and requests to a control API over SSH. */
export async function benchSsh(): Promise<void> {
  title(`SSH: ${SIZE_BYTES / 1e6} MB to sshd on this computer, ${ROUNDS} rounds`)
  const folder = mkdtempSync(join(tmpdir(), 'maki-bench-ssh-'))
  await using sshd = await Sshd.start({ config: ['Subsystem sftp internal-sftp'] })
  try {
    const key = join(folder, 'key')
    sshd.allow(makeKey(key))
    const file = join(folder, 'file')
    writeFileSync(file, randomBytes(SIZE_BYTES))
    const known = join(folder, 'known')
    writeFileSync(known, `[127.0.0.1]:${sshd.port} ${sshd.hostKey()}\n`)
    await using host = await connectSsh({
      target: { user: 'root', host: '127.0.0.1', port: sshd.port },
      hostKey: sshd.hostKey(),
      firstUse: 'require',
      keyFile: key,
      env: { HOME: folder },
      runtime: systemRuntime,
      signal: new AbortController().signal,
      onNote: () => {},
    })
    const options = ['-q', '-F', 'none', '-i', key, '-o', `UserKnownHostsFile=${known}`, '-P', `${sshd.port}`]
    await benchUploads(host, file, () => run('scp', [...options, file, 'root@127.0.0.1:/root/scp']))
    await benchRequests(sshd, host)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function benchUploads(host: SshConnection, file: string, scp: () => Promise<unknown>): Promise<void> {
  const seconds: Record<'scp' | 'maki', number[]> = { scp: [], maki: [] }
  for (let round = 0; round < ROUNDS; round++) {
    seconds.scp.push(await measure(scp))
    const input = createReadStream(file, { highWaterMark: 1 << 20 })
    seconds.maki.push(await measure(() => host.run('cat > /root/maki', { input })))
  }
  const rate = (all: readonly number[]) => summarize(all.map((one) => SIZE_BYTES / 1e6 / one))
  line('scp, with its connection', spread(rate(seconds.scp), ' MB/s'))
  line('run with input', spread(rate(seconds.maki), ' MB/s'))
  const ratios = seconds.scp.map((one, i) => one / (seconds.maki[i] as number))
  line('of what scp gives', spread(summarize(ratios)))
}

async function benchRequests(sshd: Sshd, host: SshConnection): Promise<void> {
  const server = createServer((_request, response) => void response.end(Buffer.alloc(1000)))
  await new Promise<void>((done) => server.listen(sshd.controlSocket, done))
  using client = new ControlClient({ open: () => host.openControl(), name: 'bench', runtime: systemRuntime })
  const times: number[] = []
  for (let i = 0; i < REQUESTS; i++) {
    times.push((await measure(() => client.readBlob('b'.repeat(52) as never))) * 1000)
  }
  line('a small request through the forwarded socket', latencies(summarize(times)))
  server.closeAllConnections()
  server.close()
}

async function measure(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return (performance.now() - begun) / 1000
}
