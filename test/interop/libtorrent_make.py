"""Makes a .torrent with libtorrent: `python3 libtorrent_make.py SOURCE PIECE_LENGTH v1|v2|hybrid`, bencode on stdout."""

import os
import sys

import libtorrent as lt

source, piece_length, version = sys.argv[1:]
make = lt.create_torrent
flags = {"v1": make.v1_only, "v2": make.v2_only, "hybrid": 0}[version]
flags |= make.symlinks | make.no_attributes

files = list(lt.list_files(source, flags=make.symlinks))
if version == "v1":
    # as the directory lists them, unless told otherwise
    files.sort(key=lambda file: file.filename.encode().replace(b"/", b"\0"))
torrent = make(files, int(piece_length), flags)
lt.set_piece_hashes(torrent, os.path.dirname(source))
made = torrent.generate()
made.pop(b"creation date", None)


def plain_symlinks(value):
    """A symlink's own mode makes libtorrent call it executable."""
    if isinstance(value, dict):
        if value.get(b"attr") == b"xl":
            value[b"attr"] = b"l"
        for inner in value.values():
            plain_symlinks(inner)
    elif isinstance(value, list):
        for inner in value:
            plain_symlinks(inner)


plain_symlinks(made[b"info"])
sys.stdout.buffer.write(lt.bencode(made))
