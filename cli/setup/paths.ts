/** Where things lie on a server. All of it is made by `machine init` and gone after `machine remove`. */
export const SERVER_PATHS = {
  /** Programs by content, and the journal of what was changed on the server. */
  root: '/opt/makiatto',
  /** `<sha256 of the bundle>/`: what a bundle holds, unpacked; never changed afterwards. */
  versions: '/opt/makiatto/versions',
  /** Bundles on their way; `<sha256>.part`. */
  incoming: '/opt/makiatto/incoming',
  /** Symlink to the version that runs. */
  current: '/opt/makiatto/current',
  /** What was changed, in order, so that it can be put back. */
  journal: '/opt/makiatto/journal.json',
  /** Symlink into `current`, for `PATH`: what a key bound to `makiatto stdio` runs. */
  command: '/usr/local/bin/makiatto',
  configFolder: '/etc/makiatto',
  config: '/etc/makiatto/makiatto.toml',
  data: '/var/makiatto',
  unit: '/etc/systemd/system/makiatto.service',
  sysctl: '/etc/sysctl.d/60-makiatto.conf',
  resolved: '/etc/systemd/resolved.conf.d/60-makiatto.conf',
  controlSocket: '/run/makiatto/control.sock',
  /** Where the kernel has no WireGuard: where `wg` finds what stands in for it. */
  wireguardSocket: '/run/wireguard/wawa0.sock',
} as const

/** The system user and group that the daemon runs as; who is in the group may use its control socket. */
export const SERVICE_USER = 'makiatto'
export const SERVICE_NAME = 'makiatto.service'

/** In a version's folder: the daemon's program, which brings its own Node and libraries. */
export const BUNDLE_COMMAND = 'bin/makiatto'

/** What `makiatto setup` has locked while it works. In a folder that root alone may write to. */
export const SETUP_LOCK = '/run/makiatto-setup.lock'

/** Ports of a server. */
export const SERVER_PORTS = {
  dns: 53,
  dnsTls: 853,
  http: 80,
  https: 443,
  gossip: 8787,
  blobs: 8282,
  wireguard: 51880,
} as const
