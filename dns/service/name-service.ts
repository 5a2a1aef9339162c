import {
  type Cancel,
  type Key,
  type Log,
  listNodes,
  type NodeStandings,
  type Runtime,
  type Scope,
  type State,
  scopeKind,
} from '../../core/index.ts'
import type { AliasAddresses, AliasTable } from '../alias/index.ts'
import type { AnswerContext } from '../answer/index.ts'
import { type ExplainQuestion, type Explanation, explain } from '../explain/index.ts'
import { type Asker, ServerCookies } from '../message/index.ts'
import {
  type DatabaseInfo,
  type Locator,
  type PlaceFiles,
  type PlaceRule,
  Places,
  Steering,
} from '../steering/index.ts'
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
  /** Reads the rules of `places`; throws for a file with faults. */
  readonly readRules: (file: string) => Promise<readonly PlaceRule[]>
  /** What DNS cookies are made with (RFC 9018): 16 bytes in hexadecimal. */
  readonly cookieSecret: string
  /** Equal answers a second to one network; 0 for no limit. */
  readonly rateLimit: number
  /** What a query with the NSID option is told (RFC 5001); undefined: nothing. */
  readonly nsid: string | undefined
  /** The answer to `version.bind`; undefined: none. */
  readonly version: string | undefined
}

/** Zones are built for so long at a time, and questions are answered for as long before it goes on. */
const BUILDING_MS = 5

/**
 * All that a name server answers from: zones, the nodes that can be chosen, the places of clients, the addresses of ALIAS
 * targets. Each is a table that is swapped whole; a message is answered from those of the moment.
 */
export class NameService {
  readonly #projection: DnsProjection
  readonly #runtime: Runtime
  #cancelBuilding: Cancel | undefined
  #isClosed = false
  readonly #places: Places
  #locator: Locator
  readonly #answers: number
  readonly #identity: Identity
  #steering = Steering.empty
  #standings: NodeStandings = new Map()
  #aliases: AliasTable = new Map<NameKey, AliasAddresses>()

  constructor(options: NameServiceOptions) {
    const { log, answers, authorities, places, readRules, runtime, cookieSecret, nsid, version } = options
    this.#projection = new DnsProjection(log, authorities)
    this.#runtime = runtime
    this.#answers = answers
    this.#places = new Places({ files: places, readRules, log })
    this.#locator = this.#places.locatorFor([])
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

  /**
   * `scopes` are those that changed since the last call (`changedScopes`), `keys` the keys that did; what `state` says
   * later is believed too.
   */
  refresh(state: State, scopes: ReadonlySet<Scope>, keys?: Iterable<Key>): void {
    this.#projection.refresh(state, scopes, keys)
    const nodesChanged = [...scopes].some((scope) => ['node', 'node-name'].includes(scopeKind(scope)))
    if (nodesChanged) {
      this.#steering = new Steering(listNodes(state), this.#standings, this.#answers)
      this.#locator = this.#places.locatorFor(this.#steering.nodes)
    }
    this.#buildLater()
  }

  /** Builds in the background what nobody asks for, so that first questions need not wait and faults are told of. */
  #buildLater(): void {
    if (this.#projection.waiting === 0 || this.#cancelBuilding !== undefined || this.#isClosed) return
    this.#cancelBuilding = this.#runtime.after(BUILDING_MS, () => {
      this.#cancelBuilding = undefined
      const startMs = this.#runtime.monotonic()
      this.#projection.buildSome(() => this.#runtime.monotonic() - startMs >= BUILDING_MS)
      this.#buildLater()
    })
  }

  /** Ends what goes on in the background; questions are answered as before. */
  close(): void {
    this.#isClosed = true
    this.#cancelBuilding?.()
  }

  setStandings(standings: NodeStandings): void {
    this.#standings = standings
    this.#steering = new Steering(this.#steering.nodes, standings, this.#answers)
  }

  setAliases(addresses: readonly AliasAddresses[]): void {
    this.#aliases = new Map(addresses.map((entry) => [entry.target, entry]))
  }

  /** The database that says where clients are; undefined before `loadPlaces`, and where none could be read. */
  get database(): DatabaseInfo | undefined {
    return this.#places.database
  }

  /** Reads where clients are, at the start and anew; until that is done the old tables serve. Never rejects. */
  async loadPlaces(): Promise<void> {
    await this.#places.load()
    this.#locator = this.#places.locatorFor(this.#steering.nodes)
  }

  /** The country of a client by its address, ISO 3166-1 alpha-2 in upper case; undefined where no table says. Never throws. */
  countryOf(address: string): string | undefined {
    return this.#locator.locate({ address, transport: 'tcp' }, undefined).country
  }

  /** Throws only by a mistake of ours. */
  reply(message: Uint8Array, asker: Asker): Reply {
    const { table } = this.#projection
    const context = { table, steering: this.#steering, aliases: this.#aliases, locator: this.#locator, asker }
    return respond(message, context, this.#identity)
  }

  /** Why a question is answered as it is, by the same tables and the same code. */
  explain(question: ExplainQuestion): Explanation {
    return explain(question, this.#tables())
  }

  #tables(): Omit<AnswerContext, 'asker'> {
    return {
      table: this.#projection.table,
      steering: this.#steering,
      aliases: this.#aliases,
      locator: this.#locator,
    }
  }
}
