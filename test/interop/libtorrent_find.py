"""
libtorrent peers that find others by themselves, told by a line of JSON each on stdin and answering with one:
`{"nodes": N, "bootstrap": "host:port"}` opens N sessions that are nodes of the DHT, `{"seed": TORRENT, "directory": D}` and
`{"get": TORRENT|MAGNET, "directory": D}` give and take one torrent; both answer when it is whole. Settings in argv as JSON.
"""

import json
import sys
import time

import libtorrent as lt

SETTINGS = {
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "allow_multiple_connections_per_ip": True,
    # all nodes of these nets have one address
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "dht_prefer_verified_node_ids": False,
    "dht_bootstrap_nodes": "",
    **json.loads(sys.argv[1]),
}
PATIENCE = 80

sessions = [lt.session(SETTINGS)]


def say(**answer):
    print(json.dumps(answer), flush=True)


def wait_for(what, look):
    end = time.monotonic() + PATIENCE
    while not look():
        if time.monotonic() > end:
            sys.exit(f"waited in vain until {what}")
        time.sleep(0.01)


def dht_nodes(session):
    return session.status().dht_nodes


def open_nodes(count, bootstrap):
    settings = {**SETTINGS, "enable_dht": True, "dht_bootstrap_nodes": bootstrap}
    more = [lt.session(settings) for _ in range(count)]
    sessions.extend(more)
    wait_for("all have neighbours", lambda: all(dht_nodes(each) > 0 for each in more))
    say(version=lt.__version__, ports=[each.listen_port() for each in more])


def add(source, directory, seeds):
    session = sessions[0]
    params = lt.parse_magnet_uri(source) if source.startswith("magnet:") else lt.load_torrent_file(source)
    params.save_path = directory
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    handle = session.add_torrent(params)
    announced = 0
    # seeds leave each other, so they are noted while they are there
    peers = set()

    def is_whole():
        nonlocal announced
        peers.update(f"{peer.ip[0]}:{peer.ip[1]}" for peer in handle.get_peer_info())
        # a lookup that found nobody is made again after many minutes otherwise
        if SETTINGS["enable_dht"] and not seeds and time.monotonic() - announced > 3:
            announced = time.monotonic()
            handle.force_dht_announce()
        return handle.status().is_seeding

    wait_for("it is whole", is_whole)
    if seeds and SETTINGS["enable_dht"]:
        wait_for("it has neighbours", lambda: dht_nodes(session) > 0)
        handle.force_dht_announce()
    handle.flush_cache()
    say(port=session.listen_port(), peers=sorted(peers), payload=handle.status().total_payload_download)


for line in sys.stdin:
    request = json.loads(line)
    if "nodes" in request:
        open_nodes(request["nodes"], request["bootstrap"])
    elif "seed" in request:
        add(request["seed"], request["directory"], True)
    else:
        add(request["get"], request["directory"], False)
