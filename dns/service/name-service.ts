import {
  type Log,
  listNodes,
  type NodeStandings,
  type Runtime,
  type Scope,
  type State,
  scopeKind,
} from '../../core/index.ts'
import type { AliasAddresses, AliasTable } from '../alias/index.ts'
import { type Asker, ServerCookies } from '../message/index.ts'
import { type Locator, nowhere, Steering } from '../steering/index.ts'
import type { NameKey } from '../wire/index.ts'
import { DnsProjection, type ZoneTable } from '../zone/index.ts'
import type { Identity } from './identity.ts'
import { type Reply, respond } from './respond.ts'

/** What a name service is made with. */
export interface NameServiceOptions {
  readonly log: Log
  readonly runtime: Runtime
  /** How many addresses an answer from the nodes has. */
  readonly answers: number
  /** Issuer names of the certificate authorities that may issue (RFC 8659). */
  readonly authorities: readonly string[]
  readonly places: PlaceFiles
  /** What DNS cookies are made with (RFC 9018): 16 bytes in hexadecimal. */
  readonly cookieSecret: string
  /** Equal answers a second to one network; 0 for no limit. */
  readonly rateLimit: number
  /** What a query with the NSID option is told (RFC 5001); undefined: nothing. */
  readonly nsid: string | undefined
  /** The answer to `version.bind`; undefined: none. */
  readonly version: string | undefined
}

/** Where it is written where clients are. */
export interface PlaceFiles {
  /** MMDB files; the first that can be read is taken. */
  readonly databases: readonly string[]
  /** A TOML file that is believed before them. */
  readonly overrides: string | undefined
}

/**
 * All that a name server answers from: zones, the nodes that can be chosen, the places of clients, the addresses of ALIAS
 * targets. Each is a table that is swapped whole; a message is answered from those of the moment.
 */
export class NameService {
  readonly #projection: DnsProjection
  readonly #locator: Locator = nowhere
  readonly #answers: number
  readonly #identity: Identity
  #steering = Steering.empty
  #standings: NodeStandings = new Map()
  #aliases: AliasTable = new Map<NameKey, AliasAddresses>()

  constructor({ log, answers, runtime, cookieSecret, nsid, version }: NameServiceOptions) {
    this.#projection = new DnsProjection(log)
    this.#answers = answers
    this.#identity = {
      cookies: new ServerCookies(cookieSecret),
      nsid,
      version,
      nowSeconds: () => Math.floor(runtime.now() / 1000),
    }
  }

  get table(): ZoneTable {
    return this.#projection.table
  }

  /** `scopes` are those that changed since the last call (`changedScopes`). */
  refresh(state: State, scopes: ReadonlySet<Scope>): void {
    this.#projection.refresh(state, scopes)
    const nodesChanged = [...scopes].some((scope) => ['node', 'node-name'].includes(scopeKind(scope)))
    if (nodesChanged) this.#steering = new Steering(listNodes(state), this.#standings, this.#answers)
  }

  setStandings(standings: NodeStandings): void {
    this.#standings = standings
    this.#steering = new Steering(this.#steering.nodes, standings, this.#answers)
  }

  setAliases(addresses: readonly AliasAddresses[]): void {
    this.#aliases = new Map(addresses.map((entry) => [entry.target, entry]))
  }

  /** Reads anew where clients are; until that is done the old tables serve. */
  reloadPlaces(): void {}

  /** Throws only by a mistake of ours. */
  reply(message: Uint8Array, asker: Asker): Reply {
    const context = {
      table: this.#projection.table,
      steering: this.#steering,
      aliases: this.#aliases,
      locator: this.#locator,
      asker,
    }
    return respond(message, context, this.#identity)
  }
}
