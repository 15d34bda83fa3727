/**
 * `npm run test:soak [PART...]`: what takes long, all of it or the parts that are named. What a part counted is put into its
 * table of docs/reliability.md; inputs that the fuzzing found worth keeping come into fixtures/fuzz. Ends with 0 if all passed.
 */
import { type CountedRun, runCounted } from './counted.ts'

const PARTS: Readonly<Record<string, Omit<CountedRun, 'name'>>> = {
  /** An hour of adding, getting and being cut off among kubo peers; needs what `npm run check:interop` installs. */
  kubo: { files: ['test/interop/soak.test.ts'], env: { SOAK_SECONDS: '3600' } },
  /** 20 nodes that come and go for half an hour; as root. */
  churn: { files: ['test/system/churn.test.ts'], env: { CHURN_NODES: '20', CHURN_SECONDS: '1800' } },
  /** Ten minutes for each parser. */
  fuzz: { files: ['test/hostile/parsers/fuzz.test.ts'], env: { FUZZ_SECONDS: '600', FUZZ_KEEP: '1' } },
  kills: { files: ['test/hostile/process/kills.test.ts'], env: { KILLS: '1000' } },
}

const named = process.argv.slice(2)
const unknown = named.filter((name) => PARTS[name] === undefined)
if (unknown.length > 0)
  throw new Error(`no such part: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`)
for (const [name, part] of Object.entries(PARTS)) {
  if (named.length > 0 && !named.includes(name)) continue
  if (runCounted({ name: `soak, ${name}`, ...part }) !== 0) process.exitCode = 1
}
