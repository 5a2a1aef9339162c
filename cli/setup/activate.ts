import { MakiError } from '../../core/index.ts'
import type { ActivateResult, SetupEvent, SetupRequestOf } from './protocol.ts'

/** What is done in a unit of its own. */
export type ActivationRequest = SetupRequestOf<'activate' | 'restart' | 'configure'>

/**
 * Does the request in a transient unit (`makiatto-activate.service`), which goes on when this process, or the connection
 * that it came by, ends. `tell` hears the steps. Throws MAKI_CONFLICT where one is under way, MAKI_CONFIG and others for what
 * was refused before anything was changed.
 */
export async function startActivation(
  request: ActivationRequest,
  tell: (event: SetupEvent) => void,
): Promise<ActivateResult> {
  throw new MakiError('MAKI_UNSUPPORTED', `${request.do} is not there yet`)
}
