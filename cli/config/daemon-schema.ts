import { isIP } from 'node:net'
import * as v from 'valibot'
import { isWireGuardKey, parseClusterId, parseNodeName } from '../../core/index.ts'
import { parseEndpoint, parseListenAddress, parseResolver } from './listen-address.ts'
import { filled, ip, parsedBy, port, whole, within } from './values.ts'

const listen = parsedBy(parseListenAddress)
const endpoint = parsedBy(parseEndpoint)
const resolver = parsedBy(parseResolver)
const webAddress = v.pipe(
  v.string(),
  v.check((text) => URL.parse(text) !== null, 'an address is expected, like "https://…"'),
)
const seconds = whole(1, 30 * 86_400)
const threshold = whole(1, 1000)

/** An address or a network in CIDR notation. */
const network = v.pipe(
  v.string(),
  v.check((text) => {
    const [host = '', bits, ...rest] = text.split('/')
    const family = isIP(host)
    if (family === 0 || rest.length > 0) return false
    return bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  }, 'an address or network is expected, like "10.0.0.0/8"'),
)

/** `host:port`, kept as it is written. */
const reachable = v.pipe(
  v.string(),
  v.check((text) => {
    try {
      return parseEndpoint(text).port > 0
    } catch {
      return false
    }
  }, 'host:port is expected, with brackets around an IPv6 address'),
)
const wireGuardKey = v.pipe(
  v.string(),
  v.check(isWireGuardKey, 'a public key of WireGuard is expected: 44 characters, as wg pubkey prints it'),
)

/** A table whose keys all have defaults may be left out as a whole. */
function section<const Entries extends v.ObjectEntries>(entries: Entries) {
  const schema = v.object(entries)
  return v.optional(schema, {} as v.InferInput<typeof schema>)
}

/** The daemon's file; units stand in the names of the keys, where there is none it is seconds. */
export const daemonSchema = v.object({
  node: v.object({
    name: parsedBy(parseNodeName),
    /** The cluster that this node belongs to; without it the node waits to be invited. */
    cluster: v.optional(parsedBy(parseClusterId)),
    data_dir: v.optional(filled(4096), '/var/makiatto'),
    is_nameserver: v.optional(v.boolean(), false),
    /** Path of the control socket. */
    control: v.optional(filled(4096), '/run/makiatto/control.sock'),
  }),
  wireguard: section({
    enabled: v.optional(v.boolean(), true),
    interface: v.optional(
      v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,15}$/, 'an interface name of 1 to 15 characters is expected')),
      'wawa0',
    ),
    port: v.optional(port, 51880),
    bootstrap: v.optional(v.array(v.object({ endpoint: reachable, address: ip, public_key: wireGuardKey })), []),
  }),
  replication: section({
    /** Where gossip listens; the mesh address and port 8787 unless it says otherwise. */
    addr: v.optional(listen),
    /** Whom to ask for the cluster's operations first. */
    bootstrap: v.optional(v.array(endpoint), []),
    /** Every other node is dialled at its public addresses too, at the port of `addr`: for clusters without a mesh. */
    dial_members: v.optional(v.boolean(), false),
    /** Where blobs are served to peers; the mesh address and port 8282 unless it says otherwise. */
    blobs_addr: v.optional(listen),
  }),
  dns: section({
    addr: v.optional(listen, '[::]:53'),
    tls_addr: v.optional(listen, '[::]:853'),
    /** An MMDB file that tells where clients are, instead of the one that comes along (GeoLite2-City, say). */
    geolite_path: v.optional(filled(4096)),
    /** Where a newer MMDB file is fetched from; nothing is fetched without it. */
    geo_mirror: v.optional(
      v.pipe(
        webAddress,
        v.check((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''), 'http:// or https:// is expected'),
      ),
    ),
    geo_refresh_days: v.optional(whole(1, 365), 21),
    /** A TOML file that says of networks where they are. */
    geo_override: v.optional(filled(4096)),
    /** How many addresses an answer has. */
    answers: v.optional(whole(1, 8), 1),
    /** Equal answers a second to one network before the rest is dropped or cut short; 0 for no limit. */
    rate_limit: v.optional(whole(0, 1_000_000), 50),
    /** What a query with the NSID option is told (RFC 5001); nothing when empty. */
    nsid: v.optional(v.pipe(v.string(), v.maxLength(128)), ''),
    /** What `version.bind` is answered with; REFUSED when empty. */
    version: v.optional(v.pipe(v.string(), v.maxLength(255)), ''),
    /** Who resolves the targets of ALIAS records; the resolvers of the system when empty. */
    resolvers: v.optional(v.array(resolver), []),
  }),
  web: section({
    http_addr: v.optional(listen, '[::]:80'),
    https_addr: v.optional(listen, '[::]:443'),
    /** One per core unless it says otherwise; 0 serves from the control process itself (development). */
    workers: v.optional(whole(0, 1024)),
    max_concurrent_requests: v.optional(whole(1), 1024),
    request_timeout_secs: v.optional(seconds, 60),
    /** What br, zstd and gzip of the files may take on the disk; 0 makes none. */
    variants_cache_mb: v.optional(whole(0), 1024),
    trusted_proxies: v.optional(v.array(network), []),
    /** Which fields those proxies set: X-Forwarded-For, -Proto and -Host, or Forwarded (RFC 7239). */
    proxy_fields: v.optional(v.picklist(['x-forwarded', 'forwarded']), 'x-forwarded'),
    /** Answers say which node gave them, and of which release. */
    server_headers: v.optional(v.boolean(), true),
    /** The share of requests that get a line in the log; 0 for none, 1 for all. */
    access_log: v.optional(within(0, 1), 0.01),
    access_log_lines_per_second: v.optional(whole(1, 1_000_000), 100),
    /** A visitor's address in those lines: whole, its network of /24 or /48, or nothing. */
    log_addresses: v.optional(v.picklist(['full', 'prefix', 'none']), 'prefix'),
    /** A worker that holds more memory for a while is replaced; 0 for never. */
    worker_memory_mb: v.optional(v.union([v.literal(0), whole(128)]), 1024),
    /** Development: localhost and addresses reach the only site, `<host>.localhost` that host. */
    local_hosts: v.optional(v.boolean(), false),
    /** HTTPS too where `local_hosts` is set. */
    local_https: v.optional(v.boolean(), false),
  }),
  images: section({
    enabled: v.optional(v.boolean(), true),
    cache_size_mb: v.optional(whole(0), 500),
    max_width: v.optional(whole(1, 65_535), 4096),
    max_height: v.optional(whole(1, 65_535), 4096),
    allowed_formats: v.optional(v.array(v.picklist(['webp', 'jpg', 'jpeg', 'png', 'avif'])), [
      'webp',
      'jpg',
      'jpeg',
      'png',
      'avif',
    ]),
    /** Only these widths are made; any when empty. */
    widths: v.optional(v.array(whole(1, 65_535)), []),
  }),
  wasm: section({
    enabled: v.optional(v.boolean(), true),
    default_timeout_ms: v.optional(whole(1), 3000),
    max_timeout_ms: v.optional(whole(1), 30_000),
    default_max_memory_mb: v.optional(whole(1), 64),
    max_memory_mb: v.optional(whole(1), 512),
    /** Processes that run components, all workers together; by the memory of the machine where nothing is said. */
    max_processes: v.optional(whole(1, 1000)),
    /** What components that were made ready may take on the disk; those of releases that are served stay also above it. */
    components_cache_mb: v.optional(whole(0), 1024),
    /** What results of transforms may take on the disk. */
    transforms_cache_mb: v.optional(whole(1), 200),
  }),
  acme: section({
    enabled: v.optional(v.boolean(), true),
    email: v.optional(v.string(), ''),
    directory: v.optional(webAddress),
    staging: v.optional(v.boolean(), false),
    /** Directories of authorities that help out where the wanted one is in trouble and time is short; in this order. */
    fallback_directories: v.optional(v.pipe(v.array(webAddress), v.maxLength(5)), []),
    /** What of several kinds of certificates is asked for. */
    profile: v.optional(
      v.pipe(filled(64), v.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, 'the name of a profile is expected')),
    ),
    /** Of external account binding; its key is a file. */
    eab_key_id: v.optional(filled(1000)),
    /** PEM of who vouches for the directory of a private authority. */
    ca_file: v.optional(filled(4096)),
    /** Issuer names for CAA records (RFC 8659), where the directory is not a well-known one. */
    caa_identities: v.optional(v.array(filled(253)), []),
    /** Days before expiry. */
    renewal_threshold: v.optional(whole(1, 365), 30),
    check_interval: v.optional(seconds, 300),
  }),
  health: section({
    enabled: v.optional(v.boolean(), true),
    check_interval: v.optional(seconds, 10),
    dns_timeout: v.optional(seconds, 5),
    http_timeout: v.optional(seconds, 5),
    failure_threshold: v.optional(threshold, 3),
    success_threshold: v.optional(threshold, 2),
  }),
  o11y: section({
    otlp_endpoint: v.optional(webAddress),
    sampling_ratio: v.optional(within(0, 1), 0.1),
    tracing_enabled: v.optional(v.boolean(), true),
    metrics_enabled: v.optional(v.boolean(), true),
    logging_enabled: v.optional(v.boolean(), true),
  }),
})

export type DaemonFile = v.InferOutput<typeof daemonSchema>
