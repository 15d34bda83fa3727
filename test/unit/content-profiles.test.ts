/**
 * CIDs are the interface to every other IPFS tool. The first table is IPIP-499's (kubo's `cid_profiles_test.go`), the second
 * what kubo 0.43 says of trees with subdirectories, symlinks, odd names and shards:
 * `ipfs init --profile=test,<profile>; ipfs add -Q -r -H --only-hash <tree>`.
 */
import assert from 'node:assert/strict'
import { createWriteStream, writeFileSync } from 'node:fs'
import { appendFile, mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type TestContext, test } from 'node:test'
import { importPath } from '../../src/content/import.ts'
import type { Profile } from '../../src/content/profile.ts'
import { GOLDEN_TREES, seededBytes, seededNames, temporary, writeTree } from './content-trees.ts'

const V0 = 'unixfs-v0-2015'
const V1 = 'unixfs-v1-2025'
const KIB = 1024
const MIB = 1024 * KIB

async function rootOf(path: string, profile: Profile): Promise<string> {
  const { root } = await importPath(path, { profile, sink: { putNode: async () => {} } })
  return root.toString()
}

async function seededFile(context: TestContext, size: number, seed: string): Promise<string> {
  const path = join(await temporary(context), 'file')
  await pipeline(Readable.from(seededBytes(size, seed)), createWriteStream(path))
  return path
}

const files: readonly { profile: Profile; what: string; size: number; seed: string; cid: string }[] = [
  {
    profile: V0,
    what: 'one chunk',
    size: 256 * KIB,
    seed: 'chunk-v0-seed',
    cid: 'QmWmRj3dFDZdb6ABvbmKhEL6TmPbAfBZ1t5BxsEyJrcZhE',
  },
  {
    profile: V0,
    what: 'one chunk and a byte',
    size: 256 * KIB + 1,
    seed: 'chunk-v0-seed',
    cid: 'QmYyLxtzZyW22zpoVAtKANLRHpDjZtNeDjQdJrcQNWoRkJ',
  },
  {
    profile: V0,
    what: 'as many chunks as links',
    size: 174 * 256 * KIB,
    seed: 'v0-seed',
    cid: 'QmUbBALi174SnogsUzLpYbD4xPiBSFANF4iztWCsHbMKh2',
  },
  {
    profile: V0,
    what: 'a byte more than links',
    size: 174 * 256 * KIB + 1,
    seed: 'v0-seed',
    cid: 'QmV81WL765sC8DXsRhE5fJv2rwhS4icHRaf3J9Zk5FdRnW',
  },
  {
    profile: V1,
    what: 'one chunk',
    size: MIB,
    seed: 'chunk-v1-seed',
    cid: 'bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta',
  },
  {
    profile: V1,
    what: 'one chunk and a byte',
    size: MIB + 1,
    seed: 'chunk-v1-seed',
    cid: 'bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64',
  },
]

for (const { profile, what, size, seed, cid } of files) {
  test(`${profile}: a file of ${what} (${size} bytes)`, async (context) => {
    assert.equal(await rootOf(await seededFile(context, size, seed), profile), cid)
  })
}

test(`${V1}: a file of as many chunks as links, and with a byte more`, async (context) => {
  const path = await seededFile(context, 1024 * MIB, 'v1-2025-seed')
  assert.equal(await rootOf(path, V1), 'bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm')
  await appendFile(path, Buffer.concat([...seededBytes(1, 'v1-2025-seed', 1024 * MIB)]))
  assert.equal(await rootOf(path, V1), 'bafybeibdsi225ugbkmpbdohnxioyab6jsqrmkts3twhpvfnzp77xtzpyhe')
})

test(`${V1}: a file of 2 GiB, whose size takes 32 bits`, async (context) => {
  const path = join(await temporary(context), 'sparse')
  await writeFile(path, '')
  await truncate(path, 2048 * MIB)
  // from kubo 0.43, as the golden trees below
  assert.equal(await rootOf(path, V1), 'bafybeieyiwtflptdh35ga5rvsber2dzcbc7cikzfdwjmndjifuq42d6yhe')
})

for (const [profile, cid] of [
  [V0, 'Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD'],
  [V1, 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'],
] as const) {
  test(`${profile}: "hello world"`, async (context) => {
    const path = join(await temporary(context), 'hello')
    await writeFile(path, 'hello world')
    assert.equal(await rootOf(path, profile), cid)
  })
}

const directories: readonly {
  profile: Profile
  what: string
  names: [count: number, length: number, lastLength: number]
  cid: string
}[] = [
  {
    profile: V0,
    what: 'at the HAMT threshold',
    names: [4096, 30, 30],
    cid: 'QmX5GtRk3TSSEHtdrykgqm4eqMEn3n2XhfkFAis5fjyZmN',
  },
  {
    profile: V0,
    what: 'a byte over it',
    names: [4033, 31, 31],
    cid: 'QmeMiJzmhpJAUgynAcxTQYek5PPKgdv3qEvFsdV3XpVnvP',
  },
  {
    profile: V1,
    what: 'at the HAMT threshold',
    names: [4766, 11, 21],
    cid: 'bafybeic3h7rwruealwxkacabdy45jivq2crwz6bufb5ljwupn36gicplx4',
  },
  {
    profile: V1,
    what: 'a byte over it',
    names: [4766, 11, 22],
    cid: 'bafybeiegvuterwurhdtkikfhbxcldohmxp566vpjdofhzmnhv6o4freidu',
  },
]

for (const { profile, what, names, cid } of directories) {
  test(`${profile}: a directory ${what}`, async (context) => {
    const path = join(await temporary(context), 'directory')
    await mkdir(path)
    for (const name of seededNames(...names, `hamt-${profile}`)) writeFileSync(join(path, name), 'x')
    assert.equal(await rootOf(path, profile), cid)
  })
}

test('kubo computes the same CIDs for the golden trees', async (context) => {
  const fixture = new URL('../../fixtures/content/kubo-trees.json', import.meta.url)
  const golden: Record<string, Record<Profile, string>> = JSON.parse(await readFile(fixture, 'utf8'))
  const directory = await temporary(context)
  const found: typeof golden = {}
  for (const [name, spec] of Object.entries(GOLDEN_TREES)) {
    const path = join(directory, name)
    writeTree(path, spec)
    found[name] = { [V1]: await rootOf(path, V1), [V0]: await rootOf(path, V0) }
  }
  assert.deepEqual(found, golden)
})
