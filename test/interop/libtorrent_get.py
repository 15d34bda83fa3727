"""
Downloads a torrent on loopback until it is whole: `python3 libtorrent_get.py TORRENT|MAGNET DIRECTORY PORT…`. Prints one
object as JSON: libtorrent's version, the seconds it took, the payload that it counted, and what its peers called themselves.
"""

import json
import os
import sys
import time

import libtorrent as lt

source, directory, *ports = sys.argv[1:]
session = lt.session(
    {
        "listen_interfaces": "127.0.0.1:0",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "allow_multiple_connections_per_ip": True,
        "alert_mask": lt.alert.category_t.all_categories if os.environ.get("VERBOSE") else 0,
    }
)
if source.startswith("magnet:"):
    params = lt.parse_magnet_uri(source)
else:
    params = lt.load_torrent_file(source)
params.save_path = directory
params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
handle = session.add_torrent(params)
started = time.monotonic()
deadline = started + float(os.environ.get("PATIENCE", "90"))
for port in ports:
    handle.connect_peer(("127.0.0.1", int(port)))
clients = set()
while not handle.status().is_seeding:
    for peer in handle.get_peer_info():
        clients.add(peer.client.decode(errors="replace") if isinstance(peer.client, bytes) else peer.client)
    if os.environ.get("VERBOSE"):
        for alert in session.pop_alerts():
            print(f"{time.monotonic() - started:.3f}", alert.what(), alert.message(), file=sys.stderr)
    if time.monotonic() > deadline:
        status = handle.status()
        sys.exit(f"not whole after a while: {status.state}, {status.progress:.3f}, {status.num_peers} peers, {status.errc}")
    time.sleep(0.02)
seconds = time.monotonic() - started
clients |= {peer.client.decode(errors="replace") if isinstance(peer.client, bytes) else peer.client for peer in handle.get_peer_info()}
status = handle.status()
print(
    json.dumps(
        {
            "version": lt.__version__,
            "seconds": seconds,
            "payload": status.total_payload_download,
            "clients": sorted(clients),
        }
    )
)
# what it has still to write
handle.flush_cache()
del handle
session.pause()
