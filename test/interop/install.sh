#!/usr/bin/env bash
# The programs that `share` is tried against, in pinned versions: `install.sh [PROGRAM…]`, all that the tests need unless some are named.
# What is missing is fetched from its registry, or, kubo, built; it fails when that fails. Prints where each one is.
set -euo pipefail

CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/share-programs"
KUBO=0.43.0
HELIA=7.1.15
HELIA_UNIXFS=8.0.5
LIBTORRENT=2.1.1
SENDME=0.37.1

# A directory in the cache, filled by a function of the same name; one that was left unfinished is made again.
cached() { # NAME VERSION
  local directory="$CACHE/$1-$2"
  if [ ! -d "$directory" ]; then
    echo "making $directory; later runs find it there" >&2
    rm -rf "$directory.draft"
    mkdir -p "$directory.draft"
    (cd "$directory.draft" && "make_$1") >&2
    mv "$directory.draft" "$directory"
  fi
  echo "$directory"
}

# By Go's own tools, from its module proxy: some minutes, once.
make_kubo() {
  printf 'module programs\n\ngo 1.26\n\nrequire github.com/ipfs/kubo v%s\n' "$KUBO" >go.mod
  go build -mod=mod -o ipfs github.com/ipfs/kubo/cmd/ipfs
}

make_helia() {
  npm install --prefix . --no-audit --no-fund --ignore-scripts "helia@$HELIA" "@helia/unixfs@$HELIA_UNIXFS"
}

# By Rust's own tools, from crates.io: a quarter of an hour, once.
make_sendme() {
  cargo install sendme --version "$SENDME" --locked --no-default-features --root .
}

make_libtorrent() {
  python3 -m pip install --quiet --target . "libtorrent==$LIBTORRENT"
}

# A program of Debian's, in Debian's version.
debian() { # PROGRAM PACKAGE
  if ! command -v "$1" >/dev/null; then
    if [ "$(id -u)" != 0 ]; then
      echo "$1 is missing: sudo apt-get install $2" >&2
      exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -q && apt-get install -q -y --no-install-recommends "$2"; } >&2
  fi
  command -v "$1"
}

[ $# -gt 0 ] || set -- kubo helia libtorrent aria2 transmission qbittorrent chromium
for program; do
  case "$program" in
    kubo) cached kubo "$KUBO" ;;
    sendme) cached sendme "$SENDME" ;;
    helia) cached helia "$HELIA" ;;
    libtorrent)
      modules=$(cached libtorrent "$LIBTORRENT")
      # a version of Python for which there is no module would be found out by every test, and late
      PYTHONPATH="$modules" python3 -c 'import libtorrent'
      echo "$modules"
      ;;
    aria2) debian aria2c aria2 ;;
    transmission) debian transmission-daemon transmission-daemon ;;
    qbittorrent) debian qbittorrent-nox qbittorrent-nox ;;
    chromium) debian chromium chromium ;;
    nftables) debian nft nftables ;;
    miniupnpd) debian miniupnpd miniupnpd-nftables ;;
    *)
      echo "no such program: $program" >&2
      exit 2
      ;;
  esac
done
