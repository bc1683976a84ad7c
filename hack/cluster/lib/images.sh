# shellcheck shell=bash
# Container images: the cluster's own two, and whatever is loaded from archives. There is no registry.

PAUSE_IMAGE=localhost/fleet-cluster/pause:1
COREDNS_IMAGE=localhost/fleet-cluster/coredns:$COREDNS_VERSION

# load_images ARCHIVE...: imports OCI or docker archives into the node.
load_images() {
  local archive
  (($# > 0)) || die "load: name the image archives to load, for example dist/movie-v1.tar"
  for archive in "$@"; do
    [[ -r $archive ]] || die "load: cannot read $archive"
    import_image "$archive"
  done
}

# import_image ARCHIVE prints the names of the images in it.
import_image() {
  local output
  output=$(in_node ctr -a /run/containerd/containerd.sock -n k8s.io images import - <"$1" 2>&1) ||
    die "$1 is not an OCI or docker image archive: $output"
  awk -v archive="$1" '$NF == "saved" {print "loaded " $1 " from " archive}' <<<"$output"
}

load_system_images() {
  wait_for 20 in_node ctr -a /run/containerd/containerd.sock version ||
    die "containerd does not answer; $LOGS/containerd.log says: $(tail -n 2 "$LOGS/containerd.log")"
  load_system_image pause "$PAUSE_IMAGE"
  load_system_image coredns "$COREDNS_IMAGE" -user 0 # it binds port 53
}

# load_system_image BINARY IMAGE [MKIMAGE-FLAG...]
load_system_image() {
  local binary archive
  binary=$(cached "$1")
  archive=$FLEET_CACHE/images/$(basename "$binary").tar
  mkdir -p "$FLEET_CACHE/images"
  [[ -e $archive ]] || "$BIN/mkimage" -tag "$2" -o "$archive" "${@:3}" "$binary:/$1" >/dev/null
  import_image "$archive" >/dev/null
}
