/**
 * Bundles the command line and the daemon into dist/bundle: as single modules, some 1,500 of them, Node takes half of the
 * daemon's start to find them. The API stays as modules. Files lie as deep as those of src do, for they are named from there.
 */
import { readFile } from 'node:fs/promises'
import { build } from 'esbuild'

/**
 * Lengths that do not end: to a prefix of more than eight bytes the library says what it says to one that is not whole yet, and
 * libp2p reads on, byte by byte, a second for each 100 kB, whoever the stranger is that sends them (decision 69).
 */
const endlessLengths = {
  name: 'endless lengths',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]uint8-varint[\\/]dist[\\/]src[\\/]index\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8')
      const contents = source.replaceAll(
        "throw new RangeError('Could not decode varint')",
        "throw new Error('Could not decode varint')",
      )
      if (contents === source) throw new Error(`${path} is not as it was when it was corrected`)
      return { contents }
    })
  },
}

await build({
  entryPoints: [
    'src/cli/start.ts',
    'src/content/hashing/file-thread.ts',
    'src/content/hashing/piece-thread.ts',
    'src/store/small-files-thread.ts',
    'src/torrent/digest-thread.ts',
    'src/torrent/metainfo-thread.ts',
  ],
  outdir: 'dist/bundle',
  entryNames: '[name]',
  bundle: true,
  // a command loads its own part alone
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node22',
  minifySyntax: true,
  plugins: [endlessLengths],
  // they find their binaries beside themselves
  external: ['classic-level'],
  // for packages that are not modules yet
  banner: {
    js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);",
  },
  logLevel: 'warning',
})

// the page by which a browser downloads a share: all that it consists of, beside each other
await build({
  entryPoints: ['src/page/page.ts', 'src/page/page.css', 'src/page/index.html'],
  outdir: 'dist/page',
  bundle: true,
  platform: 'browser',
  format: 'esm',
  target: ['chrome123', 'firefox120', 'safari17.5'],
  minify: true,
  loader: { '.html': 'copy' },
  alias: { 'node:crypto': './src/page/node-crypto.ts' },
  inject: ['src/page/buffer.ts'],
  define: { 'process.platform': '"browser"' },
  logLevel: 'warning',
})
