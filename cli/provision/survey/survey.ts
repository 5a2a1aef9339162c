import type { ClusterId, NodeName } from '../../../core/index.ts'
import type { BundleArch } from '../../bundle/index.ts'

/** What is known of a server: read from what `SURVEY_SCRIPT` printed there, which changes nothing. */
export interface Survey {
  readonly system: {
    /** As `uname -s` says: `Linux`. */
    readonly kernel: string
    readonly kernelRelease: string
    /** As `uname -m` says: `x86_64`. */
    readonly machine: string
    /** Undefined: no bundle is made for it. */
    readonly arch: BundleArch | undefined
    /** `PRETTY_NAME` of os-release, for people. */
    readonly name: string
    /** `glibc` with its version, or another C library. */
    readonly libc: { readonly kind: 'glibc' | 'musl' | 'unknown'; readonly version: string | undefined }
    /** Of systemd where it is process 1. */
    readonly systemd: number | undefined
    /** The host's own name, for a suggestion at most. */
    readonly hostname: string
  }
  /** Of the server's clock when the script began, milliseconds; undefined where it cannot be read. */
  readonly clockMs: number | undefined
  readonly sockets: readonly ListeningSocket[]
  readonly addresses: readonly InterfaceAddress[]
  /** Whether there is a default route. */
  readonly routes: { readonly ipv4: boolean; readonly ipv6: boolean }
  /** Whether the kernel has IPv6 at all. */
  readonly hasIpv6: boolean
  /** /dev/net/tun is there. */
  readonly hasTun: boolean
  readonly hasKernelWireguard: boolean
  /** Of the folders that things are put into, by their path: `/opt`, `/var`, `/etc`, `/usr/local/bin`. */
  readonly disks: readonly Disk[]
  /** What holds port 53 there and is asked for names. */
  readonly resolver: { readonly resolved: boolean; readonly stub: boolean; readonly resolvConf: string }
  /** Active ones. */
  readonly firewalls: readonly Firewall[]
  readonly selinux: 'enforcing' | 'permissive' | 'off'
  readonly found: Found
  /** Missing programs of those that are needed. */
  readonly missingPrograms: readonly string[]
}

export interface ListeningSocket {
  readonly protocol: 'tcp' | 'udp'
  readonly address: string
  readonly port: number
  /** The program that has it: its name, as the kernel tells; undefined where nobody is seen to have it. */
  readonly program: string | undefined
}

export interface InterfaceAddress {
  readonly interface: string
  readonly address: string
  /** As the kernel says: `global`, `link`, `host`, `site`. */
  readonly scope: string
  /** It is given up soon (RFC 8981), or is not to be used for what begins now. */
  readonly isTemporary: boolean
}

export interface Disk {
  readonly path: string
  readonly freeBytes: number | undefined
  readonly isReadOnly: boolean
  readonly isNoexec: boolean
}

export type Firewall = 'ufw' | 'firewalld' | 'nftables' | 'iptables'

/** What was there before us. */
export type Found =
  | { readonly kind: 'nothing' }
  /** A node of ours: of which cluster, by which name, which version runs; undefined what its files do not say. */
  | {
      readonly kind: 'node'
      readonly cluster: ClusterId | undefined
      readonly name: NodeName | undefined
      readonly version: string | undefined
      readonly isActive: boolean
      /** It was given the operations of a cluster; one that was not is what a run that was broken off left. */
      readonly isBegun: boolean
      readonly config: string | undefined
    }
  /** Parts of one: what a run that was broken off left, by its journal. */
  | { readonly kind: 'remains'; readonly marks: readonly string[] }
  /** The Makiatto that was written in Rust. */
  | { readonly kind: 'rust'; readonly marks: readonly string[] }
  /** Things where ours would lie that are nobody's that we know. */
  | { readonly kind: 'foreign'; readonly marks: readonly string[] }
