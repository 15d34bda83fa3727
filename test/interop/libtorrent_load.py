"""Loads a .torrent with libtorrent: `python3 libtorrent_load.py FILE [MAGNET]`; prints what it and the link say as JSON."""

import json
import sys

import libtorrent as lt

torrent = lt.load_torrent_file(sys.argv[1]).ti
hashes = torrent.info_hashes()
said = {"version": lt.__version__, "name": torrent.name(), "pieces": torrent.num_pieces()}
said["v1"] = str(hashes.v1) if hashes.has_v1() else ""
said["v2"] = str(hashes.v2) if hashes.has_v2() else ""
if len(sys.argv) > 2:
    link = lt.parse_magnet_uri(sys.argv[2])
    said["link"] = [link.name, str(link.info_hashes.v1), str(link.info_hashes.v2)]
print(json.dumps(said))
