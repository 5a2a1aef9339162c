import t from 'tap'
import { findIssuer, listIssuers, permitsIssuer, readCaa } from '../../../core/index.ts'
import { cert, host, MAIN, nodeKey, SEALED, threeNodes } from './fixture.ts'

const at = host('shop.com')
const OURS = ['letsencrypt.org']

/** RFC 8659: what records let letsencrypt.org certify. */
const table: readonly (readonly [what: string, records: readonly string[], name: boolean, wildcard: boolean])[] = [
  ['no records', [], true, true],
  ['named', ['0 issue "letsencrypt.org"'], true, true],
  ['without quotation marks', ['0 issue letsencrypt.org'], true, true],
  ['in capitals', ['0 ISSUE "LetsEncrypt.ORG"'], true, true],
  ['with a final dot', ['0 issue "letsencrypt.org."'], true, true],
  ['another', ['0 issue "other.example"'], false, false],
  ['one of two', ['0 issue "other.example"', '0 issue "letsencrypt.org"'], true, true],
  ['nobody', ['0 issue ";"'], false, false],
  ['nobody, empty', ['0 issue ""'], false, false],
  ['nobody, and somebody', ['0 issue ";"', '0 issue "letsencrypt.org"'], true, true],
  ['no wildcards', ['0 issue "letsencrypt.org"', '0 issuewild ";"'], true, false],
  ['wildcards alone', ['0 issue ";"', '0 issuewild "letsencrypt.org"'], false, true],
  ['wildcards by another', ['0 issuewild "other.example"'], true, false],
  ['parameters are the authority’s to judge', ['0 issue "letsencrypt.org; accounturi=https://x/1"'], true, true],
  ['white space', ['0 issue "  letsencrypt.org  ; validationmethods=dns-01"'], true, true],
  ['an escaped character', ['0 issue "lets\\101ncrypt.org"'], true, true],
  ['where to report', ['0 iodef "mailto:a@shop.com"'], true, true],
  ['unknown', ['0 tbs "x"'], true, true],
  ['unknown and critical', ['128 tbs "x"', '0 issue "letsencrypt.org"'], false, false],
  ['known and critical', ['128 issue "letsencrypt.org"'], true, true],
  ['no issuer’s name', ['0 issue "%%%%%"'], false, false],
  ['not to be read', ['nonsense'], true, true],
]

for (const [what, records, name, wildcard] of table)
  t.test(what, async (t) => {
    const caa = readCaa(at, records)
    t.equal(permitsIssuer(caa, cert('shop.com'), OURS), name)
    t.equal(permitsIssuer(caa, cert('*.shop.com'), OURS), wildcard)
  })

t.test('nobody answered that there are records: none forbids', async (t) => {
  t.ok(permitsIssuer('none', cert('shop.com'), OURS))
})

t.test('an authority of which nobody knows what it calls itself is forbidden what everybody is', async (t) => {
  t.ok(permitsIssuer(readCaa(at, ['0 issue "other.example"']), cert('shop.com'), undefined))
  t.notOk(permitsIssuer(readCaa(at, ['0 issue ";"']), cert('shop.com'), undefined))
})

t.test('what an authority calls itself: as it told, else as everybody knows', async (t) => {
  const state = threeNodes()
  const encrypt = 'https://acme-v02.api.letsencrypt.org/directory'
  t.same(listIssuers(state, encrypt), OURS)
  t.equal(findIssuer('no url'), undefined)
  t.equal(listIssuers(state, MAIN), undefined)
  const account = { kind: 'certificate.account' as const, directory: MAIN, account: SEALED }
  t.equal(listIssuers(state.say([account], nodeKey(1)), MAIN), undefined, 'it told nothing')
  state.say([{ ...account, authorities: [host('ca.example')] }], nodeKey(1))
  t.same(listIssuers(state, MAIN), ['ca.example'])
})
