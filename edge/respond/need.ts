import type { Hostname, ManifestFile, OperationId } from '../../core/index.ts'
import type { FunctionCall, FunctionOutcome } from '../functions/index.ts'
import type { ImageJob, ImageOutcome } from '../images/index.ts'
import type { SiteRelease } from '../site/index.ts'
import type { TransformJob, TransformOutcome } from '../transforms/index.ts'

/** What has to be learnt before a request can be answered. The answer is then decided again, with what was learnt. */
export type Need =
  /** A file with a fingerprinted name that the release served here lacks: of an older release, or of one on its way. */
  | { readonly kind: 'asset'; readonly domain: Hostname; readonly path: string }
  /** A release of the domain whose id begins so. */
  | { readonly kind: 'preview'; readonly domain: Hostname; readonly idPrefix: string }
  /** Whether a password is the one that a hash was made of; `client` is the address of who tries. */
  | { readonly kind: 'password'; readonly hash: string; readonly password: string; readonly client: string }
  /** What becomes of an image; `client` is the address of who asks. */
  | { readonly kind: 'image'; readonly domain: Hostname; readonly job: ImageJob; readonly client: string }
  /** What a function answers; whoever learns it is given the request too. */
  | { readonly kind: 'function'; readonly call: FunctionCall }
  /** What becomes of a file. */
  | { readonly kind: 'transform'; readonly job: TransformJob }

/** A file of another release than the one that is served here. */
export interface OtherAsset {
  readonly file: ManifestFile
  readonly release: OperationId
  /** That release asks for a password there. */
  readonly isProtected?: boolean
}

/** What was learnt for this request; a part that is absent was not asked for yet, null means that there is none. */
export interface Learnt {
  readonly asset?: OtherAsset | null
  readonly preview?: SiteRelease | null
  readonly password?: { readonly verdict: PasswordVerdict }
  readonly image?: ImageOutcome
  readonly function?: FunctionOutcome
  readonly transform?: TransformOutcome
}

/** What is known of a password, or why nobody looked: too many wrong ones came from there, or too many are being looked at. */
export type PasswordVerdict = 'right' | 'wrong' | 'too-many-tries' | 'busy'
