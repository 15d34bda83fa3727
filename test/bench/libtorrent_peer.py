"""One BitTorrent peer: a JSON object a line on stdin, an answer a line on stdout. `python3 libtorrent_peer.py ADDRESS plain|rc4`"""

import json
import os
import sys
import time

import libtorrent as lt

PORT = 6881
PIECE = 1 << 20
ENCRYPTION = lt.enc_policy.forced if sys.argv[2] == "rc4" else lt.enc_policy.disabled
# Each line of these keeps the program from doing what is not measured, or from refusing peers.
SETTINGS = {
    "listen_interfaces": f"{sys.argv[1]}:{PORT}",
    "outgoing_interfaces": sys.argv[1],
    # how peers find each other is not measured
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    # TCP for every program
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    # plain: its users' default towards peers that take it
    "out_enc_policy": ENCRYPTION,
    "in_enc_policy": ENCRYPTION,
    "allowed_enc_level": lt.enc_level.rc4,
    "allow_multiple_connections_per_ip": True,
    # while peers wait for the start, two that download nothing are not to part
    "close_redundant_connections": False,
    "alert_mask": lt.alert_category.status | lt.alert_category.error | lt.alert_category.storage,
}

session = lt.session(SETTINGS)
handle = None
# bytes of content from each address, looked at every so many seconds: it is not what is measured
received = {}
LOOK = 1.0


def add(source, torrent):
    """Makes the torrent, and seeds the file where it lies."""
    flags = lt.create_torrent.v1_only
    made = lt.create_torrent(lt.list_files(source), PIECE, flags)
    lt.set_piece_hashes(made, os.path.dirname(source))
    with open(torrent, "wb") as file:
        file.write(lt.bencode(made.generate()))
    hold(torrent, os.path.dirname(source), lt.torrent_flags.seed_mode)


def join(torrent, directory, others):
    """Connects without asking for anything."""
    hold(torrent, directory, lt.torrent_flags.upload_mode)
    for address in others:
        handle.connect_peer((address, PORT))


def hold(torrent, directory, flags):
    global handle
    params = lt.load_torrent_file(torrent)
    params.save_path = directory
    params.flags |= flags
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    handle = session.add_torrent(params)


def connections():
    peers = handle.get_peer_info()
    waiting = lt.peer_info.handshake | lt.peer_info.connecting
    return sum(1 for peer in peers if not peer.flags & waiting)


def get():
    """Returns when everything is there and written."""
    handle.unset_flags(lt.torrent_flags.upload_mode)
    flushing = False
    looked = time.monotonic()
    while True:
        session.wait_for_alert(1000)
        if time.monotonic() - looked >= LOOK:
            looked = time.monotonic()
            look()
        for alert in session.pop_alerts():
            if isinstance(alert, (lt.torrent_error_alert, lt.file_error_alert)):
                raise RuntimeError(alert.message())
            if isinstance(alert, lt.cache_flushed_alert) and flushing:
                return
        if handle.status().is_seeding and not flushing:
            look()
            flushing = True
            handle.flush_cache()


def look():
    for peer in handle.get_peer_info():
        received[peer.ip[0]] = max(peer.total_download, received.get(peer.ip[0], 0))


DOES = {"add": add, "join": join, "connections": connections, "get": get, "sources": lambda: received}

for line in sys.stdin:
    name, *arguments = json.loads(line)
    print(json.dumps({"answer": DOES[name](*arguments)}), flush=True)
