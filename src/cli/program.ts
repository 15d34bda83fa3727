/**
 * Every command with its arguments and options. What a command does lies in its own file, loaded when it
 * runs: `--help` and `--version` load none of them.
 */
import { Command, Option } from 'commander'
import { version } from '../daemon/version.ts'
import { run } from './context.ts'

const RESUME = 'run the same command again to resume'

export function createProgram(): Command {
  const program = new Command('share')
    .description('Share files by their content: what you add has a CID, and everyone who has it serves it.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .exitOverride()
    // main.ts prints what went wrong, in the form of all errors
    .configureOutput({ outputError: () => {} })
  transferCommands(program)
  carCommands(program)
  shareCommands(program)
  nodeCommands(program)
  configCommands(program)
  daemonCommands(program)
  return program
}

/** A command that takes `--json`, as all do. */
function declare(parent: Command, usage: string, description: string): Command {
  return parent
    .command(usage)
    .description(description)
    .option('--json', 'print JSON: one object, or one a line')
}

function transferCommands(program: Command): void {
  declare(program, 'add <path...>', 'share files and directories, where they lie; prints their CIDs')
    .option('-q, --quiet', 'print the CIDs and nothing else')
    .option('--copy', 'keep a copy of the bytes, for files that will be deleted')
    .addOption(
      new Option('--profile <profile>', 'how the CID is made').choices(['unixfs-v1-2025', 'unixfs-v0-2015']),
    )
    .option('--name <name>', 'name it differently')
    .option('--torrent <file>', 'hold it against this .torrent file, and seed that torrent')
    .action((paths: string[], options) =>
      run(async (context) => (await import('./commands/add.ts')).add(context, paths, options), options),
    )

  declare(
    program,
    'get <target>',
    'download a CID, a path under one (CID/path), a link, a URL of a gateway; a .torrent file, a URL of one, an info hash',
  )
    .option('-o, --output <path>', 'a directory to put it in, or the name it is to have')
    .option(
      '--peer <address...>',
      'peers to ask first; URLs of HTTP gateways too; for a torrent HOST:PORT, or URLs of web seeds',
    )
    .option('--only <pattern...>', 'of a torrent, only these files: *.iso, docs, a/b/*.txt')
    .option('--stream', 'fetch it in file order, to be read while it comes: `share cat CID | player`')
    .option('--timeout <time>', 'stop after so many seconds (or 5m, 2h)')
    .option('-q, --quiet', 'print the path and nothing else')
    .action((target: string, options) =>
      run(async (context) => (await import('./commands/get.ts')).get(context, target, options), {
        ...options,
        afterInterrupt: RESUME,
      }),
    )

  declare(
    program,
    'cat <target>',
    'print the content of a file; of one that is being downloaded, as it comes',
  )
    .option('--range <first-last>', 'only these bytes, the last one included')
    .action((target: string, options) =>
      run(async (context) => (await import('./commands/cat.ts')).cat(context, target, options), options),
    )
}

function carCommands(program: Command): void {
  declare(program, 'export <target>', 'write a CID, a path under one, or a link, as a CAR file')
    .option('-o, --output <file>', 'the file to make; without it, the bytes go to standard output')
    .option('-q, --quiet', 'print the path and nothing else')
    .action((target: string, options) =>
      run(
        async (context) => (await import('./commands/export.ts')).exportCar(context, target, options),
        options,
      ),
    )
  declare(program, 'import <file>', 'take in a CAR file, and share its roots; prints their CIDs')
    .option('-q, --quiet', 'print the CIDs and nothing else')
    .option('--name <name>', 'name it differently')
    .option('--blocks', 'only store the blocks, until `share gc`')
    .action((file: string, options) =>
      run(
        async (context) => (await import('./commands/import.ts')).importCar(context, file, options),
        options,
      ),
    )
}

function shareCommands(program: Command): void {
  declare(program, 'ls [target]', 'list a directory; without a CID, list the shares').action(
    (target: string | undefined, options) =>
      run(async (context) => (await import('./commands/ls.ts')).ls(context, target), options),
  )
  declare(program, 'link <cid>', 'print a link: CID, info hashes, name and addresses in one string')
    .option('--no-torrent', 'without the info hashes, for which a share is read once')
    .option('--tracker <url...>', "the share's BitTorrent trackers from now on; it is announced there")
    .option('--no-tracker', 'no trackers from now on, but those of the settings')
    .action((cid: string, options) =>
      run(async (context) => (await import('./commands/link.ts')).link(context, cid, options), {
        ...options,
        afterInterrupt: RESUME,
      }),
    )
  declare(
    program,
    'page [cid]',
    'print the URL of a page to download it in a browser; without a CID, list them',
  )
    .addOption(new Option('--for <time>', 'let it end by itself: 2h, 7d'))
    .addOption(new Option('--revoke', 'end it now').conflicts(['for']))
    .action((cid: string | undefined, options) =>
      run(async (context) => (await import('./commands/page.ts')).page(context, cid, options), options),
    )
  declare(program, 'torrent <cid>', 'write a .torrent file for BitTorrent clients')
    .option('-o, --output <file>', 'where to; a directory that exists, or - for standard output')
    .addOption(new Option('--hybrid', 'for v1 and v2 clients alike (the default)').conflicts(['v1', 'v2']))
    .addOption(new Option('--v1', 'for clients that refuse hybrids').conflicts(['v2', 'hybrid']))
    .addOption(new Option('--v2', 'for clients of BitTorrent v2 alone').conflicts(['v1', 'hybrid']))
    .option('--tracker <url...>', "the share's trackers from now on; it is announced there")
    .option('--no-tracker', 'no trackers from now on, but those of the settings')
    .action((cid: string, options) =>
      run(async (context) => (await import('./commands/torrent.ts')).torrent(context, cid, options), {
        ...options,
        afterInterrupt: RESUME,
      }),
    )
  declare(program, 'rm <cid>', 'stop sharing; the files stay').action((cid: string, options) =>
    run(async (context) => (await import('./commands/rm.ts')).rm(context, cid), options),
  )
  for (const verb of ['pause', 'resume'] as const) {
    declare(program, `${verb} <cid>`, `${verb} downloading and serving a share`).action(
      (cid: string, options) =>
        run(async (context) => (await import('./commands/pause.ts'))[verb](context, cid), options),
    )
  }
  declare(
    program,
    'limit <cid>',
    'limit what a share takes of the network; without an option, print its limits',
  )
    .option('--up <rate>', 'bytes a second to others, such as 40MB; none lifts it')
    .option('--down <rate>', 'bytes a second from others')
    .action((cid: string, options) =>
      run(async (context) => (await import('./commands/limit.ts')).limit(context, cid, options), options),
    )
  declare(program, 'status', 'what is shared, and what is on its way')
    .option('--watch', 'go on until stopped')
    .action((options) =>
      run(async (context) => (await import('./commands/status.ts')).status(context, options), options),
    )
  declare(program, 'verify [cid]', 'read and check what is shared').action(
    (cid: string | undefined, options) =>
      run(async (context) => (await import('./commands/verify.ts')).verify(context, cid), options),
  )
  declare(program, 'gc', 'free what no share needs').action((options) =>
    run(async (context) => (await import('./commands/gc.ts')).gc(context), options),
  )
}

function nodeCommands(program: Command): void {
  declare(program, 'doctor', 'check what may keep others from this node, and say what to do').action(
    (options) => run(async (context) => (await import('./commands/doctor.ts')).doctor(context), options),
  )
  declare(program, 'id', 'the id and addresses of this node').action((options) =>
    run(async (context) => (await import('./commands/id.ts')).id(context), options),
  )
  const peers = declare(program, 'peers', 'the connected peers').action((options) =>
    run(async (context) => (await import('./commands/peers.ts')).peers(context), options),
  )
  declare(peers, 'connect <multiaddr>', 'connect to a peer').action(
    (address: string, _options, command: Command) =>
      run(
        async (context) => (await import('./commands/peers.ts')).connect(context, address),
        command.optsWithGlobals(),
      ),
  )
}

function configCommands(program: Command): void {
  const config = program
    .command('config')
    .description('settings; a running daemon takes limits at once, the others when it starts')
  declare(config, 'get <key>', 'print a setting').action((key: string, options) =>
    run(async (context) => (await import('./commands/config.ts')).get(context, key), options),
  )
  declare(config, 'set <key> <value...>', 'change a setting; `default` resets it').action(
    (key: string, values: string[], options) =>
      run(async (context) => (await import('./commands/config.ts')).set(context, key, values), options),
  )
  declare(config, 'list', 'print all settings').action((options) =>
    run(async (context) => (await import('./commands/config.ts')).list(context), options),
  )
}

function daemonCommands(program: Command): void {
  const daemon = program
    .command('daemon')
    .description('the background process, which commands start when they need it')
  declare(daemon, 'start', 'start it').action((options) =>
    run(async (context) => (await import('./commands/daemon.ts')).start(context), options),
  )
  declare(daemon, 'stop', 'stop it').action((options) =>
    run(async (context) => (await import('./commands/daemon.ts')).stop(context), options),
  )
  declare(daemon, 'status', 'whether it runs, and where').action((options) =>
    run(async (context) => (await import('./commands/daemon.ts')).status(context), options),
  )
  declare(daemon, 'run', 'run it here, in the foreground').action((options) =>
    run(async (context) => (await import('./commands/daemon.ts')).run(context), {
      ...options,
      afterInterrupt: 'none',
    }),
  )
  declare(daemon, 'logs', 'print its log')
    .option('-f, --follow', 'go on as it grows')
    .action((options) =>
      run(async (context) => (await import('./commands/logs.ts')).logs(context, options), options),
    )
}
