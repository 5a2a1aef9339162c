import type { Runtime } from '../../core/index.ts'
import type { Login } from './login.ts'

/** Looks so many times in the time that silence may last. */
const LOOKS = 5

/**
 * Notices that nothing comes from a server any more. What comes, whatever it is, is a sign of life: on a slow line the
 * answers to pings stand behind what is uploaded, but the server goes on to take that.
 */
export class Silence {
  readonly #login: Pick<Login, 'bytesRead' | 'patience'>
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #onDead: () => void
  #bytes = 0
  #silentLooks = 0
  #cancel: (() => void) | undefined

  constructor(login: Pick<Login, 'bytesRead' | 'patience'>, runtime: Pick<Runtime, 'after'>, onDead: () => void) {
    this.#login = login
    this.#runtime = runtime
    this.#onDead = onDead
    this.#wait()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #wait(): void {
    this.#cancel = this.#runtime.after(this.#login.patience.silenceMs / LOOKS, () => {
      const bytes = this.#login.bytesRead()
      this.#silentLooks = bytes === this.#bytes ? this.#silentLooks + 1 : 0
      this.#bytes = bytes
      if (this.#silentLooks >= LOOKS) this.#onDead()
      else this.#wait()
    })
  }
}
