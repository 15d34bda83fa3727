/**
 * Bundles the command line and the daemon into dist/bundle: as single modules, some 1,500 of them, Node takes half of the
 * daemon's start to find them. The API stays as modules. Files lie as deep as those of src do, for they are named from there.
 */
import { build } from 'esbuild'

await build({
  entryPoints: [
    'src/cli/start.ts',
    'src/content/hashing/file-thread.ts',
    'src/content/hashing/piece-thread.ts',
    'src/torrent/digest-thread.ts',
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
  // it finds its binary beside itself
  external: ['classic-level'],
  // for packages that are not modules yet
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
  logLevel: 'warning',
})
