import { createMemoryStore } from '../../../replication/index.ts'
import { FakeRuntime } from '../fake-runtime.ts'
import { testStore } from './store-conformance.ts'

const runtime = new FakeRuntime(1)
testStore('memory', async () => createMemoryStore(runtime))
