import { SERVER_PATHS, SERVICE_USER } from './paths.ts'

/**
 * Where WireGuard programs, `wg` among them, look for each other's sockets. Other programs may have theirs there: so it is no
 * RuntimeDirectory=, which systemd would take away with all that is in it, and nobody may remove what is another's.
 */
const WIREGUARD_FOLDER = '/run/wireguard'

/** Where compiled JavaScript is kept between starts; systemd makes it. */
export const CACHE_FOLDER = '/var/cache/makiatto'

/**
 * The service. It is no root: two capabilities stand in for that. `KillMode=process` leaves the edge workers alone when
 * the daemon hands over; `seccomp` is what processes that work on strangers' bytes confine themselves with; memory that is
 * written and run is what JavaScript needs; a core, with keys in it, is not dumped. Options that a systemd does not know yet
 * (245 is the oldest) are only noted by it.
 */
export const UNIT_FILE = `# Written by maki machine init.
[Unit]
Description=Makiatto: a content delivery network that a person owns
Documentation=man:systemd.service(5)
Wants=network-online.target
After=network-online.target nss-lookup.target
# Never gives up: whoever is asleep at 3 a.m. need not start it again.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStartPre=+/usr/bin/install -d -m 1770 -g ${SERVICE_USER} ${WIREGUARD_FOLDER}
ExecStart=${SERVER_PATHS.current}/bin/makiatto run
User=${SERVICE_USER}
Group=${SERVICE_USER}
UMask=0027
Restart=always
RestartSec=200ms
WatchdogSec=30
WatchdogSignal=SIGKILL
TimeoutStartSec=300
TimeoutStopSec=30
KillMode=process
LimitNOFILE=1048576
LimitCORE=0
OOMPolicy=continue

RuntimeDirectory=makiatto
RuntimeDirectoryMode=0750
RuntimeDirectoryPreserve=restart
CacheDirectory=makiatto
CacheDirectoryMode=0700
Environment=NODE_COMPILE_CACHE=${CACHE_FOLDER}
ReadWritePaths=${SERVER_PATHS.data} -${WIREGUARD_FOLDER}

AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_NET_ADMIN
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_NET_ADMIN
NoNewPrivileges=yes
SystemCallFilter=@system-service seccomp
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
PrivateTmp=yes
RemoveIPC=yes
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw

[Install]
WantedBy=multi-user.target
`
