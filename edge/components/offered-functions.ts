/**
 * What WASI has at 0.2, as it is offered: functions by resource, those of an interface itself under `''`. `new` is a constructor,
 * a leading dot a static function. Types are not listed: they cost nothing.
 */
export const OFFERED_FUNCTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'wasi:cli/environment': { '': 'get-arguments get-environment initial-cwd' },
  'wasi:cli/exit': { '': 'exit exit-with-code' },
  'wasi:cli/stderr': { '': 'get-stderr' },
  'wasi:cli/stdin': { '': 'get-stdin' },
  'wasi:cli/stdout': { '': 'get-stdout' },
  'wasi:cli/terminal-input': {},
  'wasi:cli/terminal-output': {},
  'wasi:cli/terminal-stderr': { '': 'get-terminal-stderr' },
  'wasi:cli/terminal-stdin': { '': 'get-terminal-stdin' },
  'wasi:cli/terminal-stdout': { '': 'get-terminal-stdout' },
  'wasi:clocks/monotonic-clock': { '': 'now resolution subscribe-duration subscribe-instant' },
  'wasi:clocks/wall-clock': { '': 'now resolution' },
  'wasi:filesystem/preopens': { '': 'get-directories' },
  'wasi:filesystem/types': {
    descriptor: [
      'advise append-via-stream create-directory-at get-flags get-type is-same-object link-at',
      'metadata-hash metadata-hash-at open-at read read-directory read-via-stream readlink-at',
      'remove-directory-at rename-at set-size set-times set-times-at stat stat-at symlink-at sync',
      'sync-data unlink-file-at write write-via-stream',
    ].join(' '),
    'directory-entry-stream': 'read-directory-entry',
    '': 'filesystem-error-code',
  },
  'wasi:http/outgoing-handler': { '': 'handle' },
  'wasi:http/types': {
    fields: 'new append clone delete entries get has set .from-list',
    'outgoing-request': [
      'new authority body headers method path-with-query scheme set-authority set-method',
      'set-path-with-query set-scheme',
    ].join(' '),
    'outgoing-response': 'new body headers set-status-code status-code',
    'request-options': [
      'new between-bytes-timeout connect-timeout first-byte-timeout set-between-bytes-timeout',
      'set-connect-timeout set-first-byte-timeout',
    ].join(' '),
    'future-incoming-response': 'get subscribe',
    'future-trailers': 'get subscribe',
    'incoming-body': 'stream .finish',
    'incoming-request': 'authority consume headers method path-with-query scheme',
    'incoming-response': 'consume headers status',
    'outgoing-body': 'write .finish',
    'response-outparam': '.set',
    '': 'http-error-code',
  },
  'wasi:io/error': { error: 'to-debug-string' },
  'wasi:io/poll': { pollable: 'block ready', '': 'poll' },
  'wasi:io/streams': {
    'input-stream': 'blocking-read blocking-skip read skip subscribe',
    'output-stream': [
      'blocking-flush blocking-splice blocking-write-and-flush blocking-write-zeroes-and-flush',
      'check-write flush splice subscribe write write-zeroes',
    ].join(' '),
  },
  'wasi:random/insecure-seed': { '': 'insecure-seed' },
  'wasi:random/insecure': { '': 'get-insecure-random-bytes get-insecure-random-u64' },
  'wasi:random/random': { '': 'get-random-bytes get-random-u64' },
  'wasi:sockets/instance-network': { '': 'instance-network' },
  'wasi:sockets/ip-name-lookup': {
    'resolve-address-stream': 'resolve-next-address subscribe',
    '': 'resolve-addresses',
  },
  'wasi:sockets/network': { '': 'network-error-code' },
  'wasi:sockets/tcp-create-socket': { '': 'create-tcp-socket' },
  'wasi:sockets/tcp': {
    'tcp-socket': [
      'accept address-family finish-bind finish-connect finish-listen hop-limit is-listening',
      'keep-alive-count keep-alive-enabled keep-alive-idle-time keep-alive-interval local-address',
      'receive-buffer-size remote-address send-buffer-size set-hop-limit set-keep-alive-count',
      'set-keep-alive-enabled set-keep-alive-idle-time set-keep-alive-interval',
      'set-listen-backlog-size set-receive-buffer-size set-send-buffer-size shutdown start-bind',
      'start-connect start-listen subscribe',
    ].join(' '),
  },
  'wasi:sockets/udp-create-socket': { '': 'create-udp-socket' },
  'wasi:sockets/udp': {
    'incoming-datagram-stream': 'receive subscribe',
    'outgoing-datagram-stream': 'check-send send subscribe',
    'udp-socket': [
      'address-family finish-bind local-address receive-buffer-size remote-address',
      'send-buffer-size set-receive-buffer-size set-send-buffer-size set-unicast-hop-limit',
      'start-bind stream subscribe unicast-hop-limit',
    ].join(' '),
  },
}
