/** Processors that a bundle is made for. */
export type BundleArch = 'x64' | 'arm64'

/** A bundle on this computer: `makiatto-<version>-linux-<arch>.tar.gz`. */
export interface Bundle {
  /** Absolute path of the archive. */
  readonly file: string
  readonly arch: BundleArch
  /** The version of the program in it. */
  readonly version: string
  /** SHA-256 of the archive, lower-case hexadecimal: its name on servers. */
  readonly sha256: string
  readonly sizeBytes: number
}
