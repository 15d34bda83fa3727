"""
Seeds a torrent on loopback until stdin ends: `python3 libtorrent_seed.py TORRENT DIRECTORY [BYTES_A_SECOND]`. Prints its port, and
for each line and at the end how many bytes of content it has sent, and how many of anything.
"""

import json
import sys
import time

import libtorrent as lt

session = lt.session(
    {
        "listen_interfaces": "127.0.0.1:0",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "allow_multiple_connections_per_ip": True,
    }
)
params = lt.load_torrent_file(sys.argv[1])
params.save_path = sys.argv[2]
if len(sys.argv) > 3:
    params.upload_limit = int(sys.argv[3])
params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
handle = session.add_torrent(params)
# checks the files, without which it knows no hashes of blocks
while not handle.status().is_seeding:
    time.sleep(0.05)
print(session.listen_port(), flush=True)


def report():
    session.post_session_stats()
    sent = None
    while sent is None:
        session.wait_for_alert(1000)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.session_stats_alert):
                sent = alert.values
    content, everything = sent["net.sent_payload_bytes"], sent["net.sent_bytes"]
    print(json.dumps({"version": lt.__version__, "bytes": content, "everything": everything}), flush=True)


for _ in sys.stdin:
    report()
report()
