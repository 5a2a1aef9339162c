/** Why an entry of a file cannot be taken, and the way out where there is one of its own. */
export interface Refusal {
  readonly fault: string
  readonly hint?: string
}
