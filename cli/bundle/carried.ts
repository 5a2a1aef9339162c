import type { BundleArch } from './bundle.ts'

/** A file of a Debian package that lies in `packages/`. */
export interface CarriedFile {
  readonly package: string
  /** As Debian's package lists have it. */
  readonly sha256: string
  /** In the package. */
  readonly from: string
  /** In the bundle. */
  readonly to: string
  readonly isProgram: boolean
  /** Paths of what says on which terms it may be given away: in the package, else files beside it. */
  readonly copyright:
    | { readonly inPackage: string; readonly beside?: never }
    | { readonly inPackage?: never; readonly beside: readonly string[] }
}

/** That of gcc-10-base, to which libatomic1 leads, with the exception that lets programs carry it; and what that is an exception to. */
const GCC = { beside: ['gcc-10-base.copyright', 'GPL-3'] }
const WIREGUARD_GO = { inPackage: 'usr/share/doc/wireguard-go/copyright' }

/** What a bundle carries that no package of npm has; see `packages/README.md`. */
export const CARRIED: Readonly<Record<BundleArch, readonly CarriedFile[]>> = {
  x64: [
    {
      package: 'libatomic1_10.2.1-6_amd64.deb',
      sha256: 'e8f1d04653698ab185c1144f35f905a1de87571c12ea630b65be669a2823d8c7',
      from: 'usr/lib/x86_64-linux-gnu/libatomic.so.1.2.0',
      to: 'lib/libatomic.so.1',
      isProgram: false,
      copyright: GCC,
    },
    {
      package: 'wireguard-go_0.0.20220316-1+b4_amd64.deb',
      sha256: '7be694f9c8d990ae1da554ec6640dd97216fce6c030b7c8caaf6f7914618d023',
      from: 'usr/bin/wireguard-go',
      to: 'bin/wireguard-go',
      isProgram: true,
      copyright: WIREGUARD_GO,
    },
  ],
  arm64: [
    {
      package: 'libatomic1_10.2.1-6_arm64.deb',
      sha256: 'd0b8a02896479a6eac49019d71142da9561482759f40eb7aeb15cfdc7d3e39ec',
      from: 'usr/lib/aarch64-linux-gnu/libatomic.so.1.2.0',
      to: 'lib/libatomic.so.1',
      isProgram: false,
      copyright: GCC,
    },
    {
      package: 'wireguard-go_0.0.20220316-1+b4_arm64.deb',
      sha256: 'b2321ad498293ca2264afde55ea9e5b063156a6e130a2da4766b320559c6d1f5',
      from: 'usr/bin/wireguard-go',
      to: 'bin/wireguard-go',
      isProgram: true,
      copyright: WIREGUARD_GO,
    },
  ],
}
