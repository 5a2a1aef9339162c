import * as v from 'valibot'
import { isWireGuardKey, type WireGuardKey } from '../../core/index.ts'

/**
 * What `makiatto setup` understands. It runs on a server as root, reads one request as a JSON line from standard input and
 * answers with `SetupEvent`s, JSON lines on standard output; messages of programs that it runs go into the events. While it
 * works, standard input stays open: where it ends early the laptop is gone, and `install` and `begin` put back what they
 * changed. Two of them at a time: the second is refused (MAKI_CONFLICT).
 */
export const setupRequest = v.variant('do', [
  /**
   * User, folders, keys, configuration, sysctls, port 53 freed, unit (not started). Idempotent. Result: `InstallResult`.
   * What fails undoes all that this run changed.
   */
  v.object({
    do: v.literal('install'),
    /** SHA-256 of the bundle: the folder below `versions` that is to run. */
    version: v.string(),
    /** The daemon's configuration as TOML. */
    config: v.string(),
    /** Users who may use the control socket besides root. */
    users: v.array(v.string()),
    /** Take port 53 from systemd-resolved where its stub has it. */
    freePort53: v.boolean(),
  }),
  /**
   * The cluster's operations, base64 of MessagePack; then the service is enabled and started, and waited for until it says that it is
   * ready. A failure stops it and, with `undo`, removes what `install` made. Result: `BeginResult`.
   */
  v.object({ do: v.literal('begin'), seed: v.string(), undo: v.boolean() }),
  /**
   * Another version, in a unit of its own that outlives this connection: switches the symlink, restarts without a lost
   * request, and goes back where the new version is not healthy in time. Result: `ActivateResult`.
   */
  v.object({ do: v.literal('activate'), version: v.string(), timeoutSecs: v.number() }),
  /** Restarts the daemon without a lost request. Result: `ActivateResult`. */
  v.object({ do: v.literal('restart'), timeoutSecs: v.number() }),
  /** Writes the configuration, when it is sound, and restarts where it is another. Result: `ActivateResult`. */
  v.object({ do: v.literal('configure'), config: v.string(), timeoutSecs: v.number() }),
  /** Stops the daemon and puts back everything that the journal has. Result: `RemoveResult`. */
  v.object({ do: v.literal('remove') }),
])
export type SetupRequest = v.InferOutput<typeof setupRequest>
export type SetupRequestOf<Do extends SetupRequest['do']> = Extract<SetupRequest, { do: Do }>

/** What `makiatto setup` tells. */
export const setupEvent = v.variant('event', [
  /** A step: what it is in a person's words, begun, then one of the others. `same`: nothing was to be done. */
  v.object({
    event: v.literal('step'),
    step: v.string(),
    state: v.picklist(['begun', 'done', 'same', 'warned', 'failed']),
    /** Why it warned or failed, what was done. */
    detail: v.optional(v.string()),
  }),
  /** The last line: it worked. */
  v.object({ event: v.literal('result'), result: v.unknown() }),
  /** The last line: it did not. `undone`: nothing of this run is left. */
  v.object({
    event: v.literal('error'),
    code: v.string(),
    message: v.string(),
    hint: v.optional(v.string()),
    undone: v.boolean(),
  }),
])
export type SetupEvent = v.InferOutput<typeof setupEvent>

export const installResult = v.object({
  /** The node's public key. */
  key: v.string(),
  /** Its public key of WireGuard; absent from a program that has no mesh. */
  wireguardKey: v.optional(
    v.custom<WireGuardKey>((input) => typeof input === 'string' && isWireGuardKey(input), 'a key of WireGuard'),
  ),
  /** True where the node's key was there before this run. */
  known: v.boolean(),
})
export const beginResult = v.object({ pid: v.number() })
export const activateResult = v.object({
  /** False: the version before runs again, and `reason` says why. */
  switched: v.boolean(),
  reason: v.optional(v.string()),
  /** SHA-256 of the bundle that runs now. */
  running: v.string(),
})
/** What could not be put back, one line each; empty when the server is as before. */
export const removeResult = v.object({ left: v.array(v.string()) })

export type InstallResult = v.InferOutput<typeof installResult>
export type BeginResult = v.InferOutput<typeof beginResult>
export type ActivateResult = v.InferOutput<typeof activateResult>
export type RemoveResult = v.InferOutput<typeof removeResult>
