import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NODE_FLAGS } from '../../cli/node/node-flags.ts'
import { findFreePorts } from '../support/free-ports.ts'
import type { EdgeSiteOptions } from './edge-site.ts'

/** A web server that runs, with all its processes. */
export interface WebServer extends AsyncDisposable {
  readonly name: string
  readonly pid: number
  readonly port: number
  readonly httpsPort: number | undefined
}

export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
}

const SITE = fileURLToPath(new URL('./edge-site.ts', import.meta.url))
/** Of `utime` and `stime` in /proc, on every Linux that people run. */
const TICK_MS = 10

/** Where a program is; undefined where it is not installed. */
export function findProgram(name: string): string | undefined {
  try {
    return execFileSync('sh', ['-c', `command -v ${name}`], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return undefined
  }
}

/** Ours, one process. */
export async function startOurs(name: string, options: EdgeSiteOptions): Promise<WebServer> {
  const child = spawn(process.execPath, [...NODE_FLAGS, SITE, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const { port, httpsPort } = JSON.parse(line.toString()) as { port: number; httpsPort?: number }
  return { name, pid: child.pid ?? -1, port, httpsPort, [Symbol.asyncDispose]: () => stop(child) }
}

/** nginx with one worker and what its documentation advises for static files. */
export async function startNginx(
  program: string,
  folder: string,
  { certFile, keyFile }: Certificate,
): Promise<WebServer> {
  const port = await findFreePorts([0, 1])
  const httpsPort = port + 1
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (one) => `${one}_temp_path ${folder}/${one};`,
  )
  const config = join(folder, 'nginx.conf')
  writeFileSync(
    config,
    `worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log; daemon off; ${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 4096; }
http { sendfile on; tcp_nopush on; tcp_nodelay on; access_log off; keepalive_timeout 65; keepalive_requests 1000000;
default_type application/octet-stream; open_file_cache max=1000 inactive=60s; ${temporary.join(' ')}
server { listen 127.0.0.1:${port} backlog=4096; listen 127.0.0.1:${httpsPort} ssl http2; http2_max_requests 1000000;
ssl_certificate ${certFile}; ssl_certificate_key ${keyFile}; ssl_protocols TLSv1.2 TLSv1.3; root ${folder}/www; } }
`,
  )
  return startPeer('nginx', spawn(program, ['-c', config], { stdio: 'ignore' }), port, httpsPort)
}

/** Caddy's file server, on one processor. */
export async function startCaddy(
  program: string,
  folder: string,
  { certFile, keyFile }: Certificate,
): Promise<WebServer> {
  const port = await findFreePorts([0, 1])
  const httpsPort = port + 1
  const config = join(folder, 'Caddyfile')
  writeFileSync(
    config,
    `{
 admin off
 auto_https off
}
http://:${port} {
 bind 127.0.0.1
 root * ${folder}/www
 file_server
}
https://example.com:${httpsPort}, https://127.0.0.1:${httpsPort} {
 bind 127.0.0.1
 tls ${certFile} ${keyFile}
 root * ${folder}/www
 file_server
}
`,
  )
  const env = { ...process.env, GOMAXPROCS: '1', XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  const args = ['run', '--config', config, '--adapter', 'caddyfile']
  return startPeer('Caddy', spawn(program, args, { stdio: 'ignore', env }), port, httpsPort)
}

async function startPeer(name: string, child: ChildProcess, port: number, httpsPort: number): Promise<WebServer> {
  for (let tries = 0; !(await answers(port)); tries++) {
    if (child.exitCode !== null || tries > 500) throw new Error(`${name} did not start (exit ${child.exitCode})`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { name, pid: child.pid ?? -1, port, httpsPort, [Symbol.asyncDispose]: () => stop(child) }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

function treeOf(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
  return [pid, ...children.flatMap(treeOf)]
}

/** User and system time of a process and all below it, milliseconds. */
export function readCpuMs(pid: number): number {
  return treeOf(pid).reduce((sum, one) => {
    const stat = readFileSync(`/proc/${one}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return sum + (Number(fields[11]) + Number(fields[12])) * TICK_MS
  }, 0)
}

/** Memory of a process and all below it that is resident, bytes. */
export function readRssBytes(pid: number): number {
  return treeOf(pid).reduce((sum, one) => {
    const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1]
    return sum + Number(kib ?? 0) * 1024
  }, 0)
}
