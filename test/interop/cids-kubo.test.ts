/** The CIDs of generated trees are those of the real kubo, in both profiles. kubo hashes all of them in two commands. */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { importPath } from '../../src/content/import.ts'
import { nameProblem } from '../../src/content/safe-names.ts'
import { Homes } from '../e2e/homes.ts'
import { type TreeSpec, writeTree } from '../unit/content-trees.ts'
import { Kubo } from './kubo.ts'

const TREES = 220

/** The seed that made the trees, so that a failure can be had again. */
const SEED = Number(process.env.PROPERTY_SEED ?? 1)

const names = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((name) => nameProblem(name) === undefined && !/[A-Z]/.test(name))

/** Sizes about those of chunks, and any; bytes that repeat and bytes that do not. */
const content = fc
  .tuple(
    fc.oneof(
      { weight: 6, arbitrary: fc.nat(2_000) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.constantFrom(2 ** 18, 2 ** 20, 2 ** 21), fc.integer({ min: -2, max: 2 }))
          .map(([chunk, off]) => chunk + off),
      },
    ),
    fc.nat(255),
    fc.boolean(),
  )
  .map(([size, byte, isVaried]) => {
    const bytes = Buffer.alloc(size, byte)
    for (let at = 0; isVaried && at + 4 <= size; at += 4)
      bytes.writeUInt32LE(Math.imul(at + byte, 2_654_435_761) >>> 0, at)
    return bytes
  })

/** So many entries, of so long names, that both rules for sharding are met from both sides. */
const wide = fc
  .tuple(fc.integer({ min: 1_000, max: 7_000 }), fc.integer({ min: 4, max: 60 }))
  .map(
    ([count, length]): TreeSpec =>
      Object.fromEntries(
        Array.from({ length: count }, (_, at) => [String(at).padStart(length, '-'), Buffer.alloc(0)]),
      ),
  )

const { tree } = fc.letrec<{ tree: TreeSpec; value: TreeSpec[string] }>((tie) => ({
  tree: fc.dictionary(names, tie('value'), { maxKeys: 8, noNullPrototype: true }),
  value: fc.oneof(
    { depthSize: 'small' },
    content,
    content,
    names.map((target) => `->${target}` as const),
    tie('tree'),
  ),
}))

test(`${TREES} generated trees have kubo's CIDs in both profiles`, async (t) => {
  const homes = await Homes.open(t)
  const kubo = await Kubo.create(homes, 'k')
  const specs = [
    ...fc.sample(tree, { numRuns: TREES - 4, seed: SEED }),
    ...fc.sample(wide, { numRuns: 4, seed: SEED }),
  ]
  await mkdir(homes.path('trees'))
  const paths = specs.map((spec, at) => {
    const path = homes.path('trees', String(at))
    writeTree(path, spec)
    return path
  })
  for (const profile of ['unixfs-v1-2025', 'unixfs-v0-2015'] as const) {
    await kubo.run('config', 'profile', 'apply', profile)
    const said = await kubo.run(
      'add',
      '-r',
      '--only-hash',
      '--hidden',
      '--progress=false',
      homes.path('trees'),
    )
    const theirs = new Map(
      said.split('\n').flatMap((line) => {
        const [, cid = '', at = ''] = /^added (\S+) trees\/(\d+)$/.exec(line) ?? []
        return cid === '' ? [] : [[Number(at), CID.parse(cid).toV1().toString()] as const]
      }),
    )
    assert.equal(theirs.size, specs.length)
    for (const [at, path] of paths.entries()) {
      const { root } = await importPath(path, { profile, sink: { putNode: async () => {} } })
      assert.equal(root.toV1().toString(), theirs.get(at), `tree ${at} of seed ${SEED}, ${profile}`)
    }
    t.diagnostic(
      `kubo ${kubo.version}, ${profile}: ${theirs.size} trees, ${said.split('\n').length} files and directories`,
    )
  }
})
