# shellcheck shell=bash
# Every program of the cluster is built once from source, through the Go module proxy, and kept in
# $FLEET_CACHE/bin/NAME-VERSION. A finished file is complete: it is built elsewhere and renamed. Kafka alone
# is not compiled: it is a directory of the jars that Maven copies.

KUBERNETES_VERSION=1.36.3
CONSUL_VERSION=1.14.4 # the newest with an MPL licence
CONTAINERD_VERSION=2.4.2
RUNC_VERSION=1.5.2
CNI_VERSION=1.9.1
COREDNS_VERSION=1.15.0
METRICS_SERVER_VERSION=0.7.2
TRAEFIK_VERSION=3.6.12
GATEWAY_API_VERSION=1.4.0 # the newest that this Traefik serves; the project's go.mod has the same
KAFKA_VERSION=4.3.0
JAEGER_VERSION=1.62.0

HYPERKUBE_COMPONENTS=(etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl)

# catalogue prints NAME VERSION SECONDS BUILDER [PART]; SECONDS is how long two idle cores need, and PART
# is the only one that needs the program. Our own small programs have a hash of their sources as version.
catalogue() {
  local own
  own=$(tools_version)
  cat <<EOF
front $own 3 build_tool
pause $own 1 build_tool
mkimage $own 4 build_tool
runc $RUNC_VERSION 15 build_runc
bridge $CNI_VERSION 8 build_cni
loopback $CNI_VERSION 3 build_cni
host-local $CNI_VERSION 3 build_cni
ctr $CONTAINERD_VERSION 40 build_containerd
containerd-shim-runc-v2 $CONTAINERD_VERSION 5 build_containerd
containerd $CONTAINERD_VERSION 60 build_containerd
coredns $COREDNS_VERSION 50 build_module
consul $CONSUL_VERSION 180 build_module consul
hyperkube $KUBERNETES_VERSION 330 build_hyperkube
metrics-server $METRICS_SERVER_VERSION 80 build_metrics_server metrics-server
traefik $TRAEFIK_VERSION 270 build_module gateway
gateway-api.yaml $GATEWAY_API_VERSION 2 build_gateway_api gateway
kafka $KAFKA_VERSION 60 build_kafka kafka
jaeger $JAEGER_VERSION 120 build_module jaeger
EOF
}

tools_version() {
  (cd "$CHECKOUT/hack/tools" && find . \( -name '*.go' ! -name '*_test.go' \) -o -name 'go.*' | sort | xargs cat | sha256sum | cut -c1-10)
}

# cached NAME: the path of a built program.
cached() {
  local version
  version=$(catalogue | awk -v n="$1" '$1 == n {print $2}')
  echo "$FLEET_CACHE/bin/$1-$version"
}

# needed_binaries prints what the cluster needs with its parts.
needed_binaries() {
  catalogue | while read -r name _ _ _ part; do
    ! needed_for "$part" || echo "$name"
  done
}

needed_for() { [[ -z $1 || " $FLEET_PARTS " == *" $1 "* ]]; }

# build_binaries [NAME...] builds what is missing of these, or of all that the cluster needs. A lock keeps
# two clusters from building the same thing.
build_binaries() {
  local missing
  # shellcheck disable=SC2046 # one word a name
  (($# > 0)) || set -- $(needed_binaries)
  require_known "$@"
  missing=$(missing_binaries "$@")
  [[ $missing ]] || return 0
  # shellcheck disable=SC2046 # one word a name
  require_to_build $(cut -d' ' -f1 <<<"$missing")
  mkdir -p "$FLEET_CACHE/bin"
  (
    flock -n 8 || { say "Waiting for another build that fills $FLEET_CACHE"; flock 8; }
    missing=$(missing_binaries "$@")
    [[ $missing ]] || exit 0
    announce_build "$missing"
    build_each "$missing"
  ) 8>"$FLEET_CACHE/bin/.lock"
}

require_known() {
  local name known
  known=" $(catalogue | awk '{print $1}' | paste -sd' ') "
  for name in "$@"; do
    [[ $known == *" $name "* ]] || die "binaries: there is no program '$name', only:$known"
  done
}

# missing_binaries NAME...
missing_binaries() {
  local name version rest
  catalogue | while read -r name version rest; do
    [[ " $* " == *" $name "* ]] || continue
    [[ -e $FLEET_CACHE/bin/$name-$version ]] || echo "$name $version $rest"
  done
}

announce_build() {
  local minutes
  minutes=$(awk '{s += $3} END {print int(s / 60 + 1)}' <<<"$1")
  say "Building from source into $FLEET_CACHE/bin, once, about $minutes min on two idle cores: $(cut -d" " -f1 <<<"$1" | paste -sd" ")"
}

build_each() {
  local -i n=0 total start
  local name version seconds builder
  total=$(wc -l <<<"$1")
  while read -r name version seconds builder _; do
    n+=1 start=SECONDS
    printf '[%d/%d] %s %s … ' "$n" "$total" "$name" "$version" >&2
    build_one "$name" "$version" "$builder"
    printf '%d s (usually %d s)\n' $((SECONDS - start)) "$seconds" >&2
  done <<<"$1"
}

build_one() {
  local name=$1 version=$2 builder=$3 work
  work=$(mktemp -d "$FLEET_CACHE/bin/.building-XXXXXX")
  # shellcheck disable=SC2064 # the directory is known now
  trap "chmod -R u+w '$work'; rm -rf '$work'" EXIT
  if ! GOBIN=$work "$builder" "$name" "$version" "$work/$name" >"$work/log" 2>&1 8>&-; then
    printf 'failed\n' >&2
    tail -n 20 "$work/log" >&2
    die "$name $version does not build; the lines above are the compiler's last. Is $(source_of "$name") reachable?"
  fi
  mv "$work/$name" "$FLEET_CACHE/bin/$name-$version"
  rm -rf "$work"
  trap - EXIT
}

source_of() { [[ $1 == kafka ]] && echo "Maven's repository (~/.m2/settings.xml may name a mirror)" || echo "the Go module proxy (go env GOPROXY)"; }

# go_build is go in the environment that all builds share: no flags or workspace of the user's.
go_build() { env GOFLAGS= GOWORK=off GOTOOLCHAIN=local CGO_ENABLED="${CGO_ENABLED:-0}" nice -n 5 go "$@"; }

build_tool() { go_build build -C "$CHECKOUT/hack/tools" -trimpath -ldflags '-s -w' -o "$3" "./$1"; }

# build_runc needs cgo: without seccomp every pod with the default profile is refused.
build_runc() {
  CGO_ENABLED=1 go_build install -trimpath -tags seccomp,netgo,osusergo \
    -ldflags '-s -w -extldflags -static' "github.com/opencontainers/runc@v$2"
}

build_cni() {
  local group=main
  [[ $1 == host-local ]] && group=ipam
  go_build install -trimpath -ldflags '-s -w' "github.com/containernetworking/plugins/plugins/$group/$1@v$2"
}

build_containerd() {
  go_build install -trimpath -tags no_btrfs,no_devmapper,no_zfs \
    -ldflags "-s -w -X github.com/containerd/containerd/v2/version.Version=v$2" \
    "github.com/containerd/containerd/v2/cmd/$1@v$2"
}

build_module() {
  local package=.
  case $1 in
    consul) package=github.com/hashicorp/consul ;;
    traefik) package=github.com/traefik/traefik/v3/cmd/traefik ;;
    jaeger) package=github.com/jaegertracing/jaeger/cmd/all-in-one ;;
  esac
  go_build build -C "$CLUSTER_HOME/modules/$1" -trimpath -ldflags '-s -w' -o "$3" "$package"
}

build_hyperkube() {
  local flags='-s -w' package
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do # kubectl reads the second
    flags+=" -X $package.gitVersion=v$2 -X $package.gitMajor=1 -X $package.gitMinor=$(cut -d. -f2 <<<"$2")"
    flags+=" -X $package.gitTreeState=clean -X $package.gitCommit=go-module"
  done
  go_build build -C "$CLUSTER_HOME/modules/hyperkube" -trimpath -ldflags "$flags" -o "$3" .
}

build_metrics_server() {
  go_build install -trimpath -ldflags '-s -w' "sigs.k8s.io/metrics-server/cmd/$1@v$2"
}

# build_gateway_api joins the standard channel's CRDs, which come with the Go module, into one file.
build_gateway_api() {
  local module
  module=$(go_build mod download -json "sigs.k8s.io/gateway-api@v$2" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  awk 'FNR == 1 {print "---"} {print}' "$module"/config/crd/standard/*.yaml >"$3"
}

build_kafka() {
  nice -n 5 mvn -q -B -f "$CLUSTER_HOME/modules/kafka/pom.xml" -Dkafka.version="$2" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$3"
}

# link_binaries gives the node a directory with plain names: containerd and CNI look programs up by name.
# What is linked already may be in use: it gets a new link, not a gap.
link_binaries() {
  local name version part component
  mkdir -p "$BIN"
  while read -r name version _ _ part; do
    ! needed_for "$part" || ln -sfn "$FLEET_CACHE/bin/$name-$version" "$BIN/$name"
  done < <(catalogue)
  for component in "${HYPERKUBE_COMPONENTS[@]}"; do
    ln -sfn hyperkube "$BIN/$component"
  done
}

# envtest_assets prints a directory with the control plane under the names that envtest expects.
envtest_assets() {
  local dir=$FLEET_CACHE/envtest-$KUBERNETES_VERSION name
  build_binaries hyperkube
  mkdir -p "$dir"
  for name in etcd kube-apiserver kubectl; do
    ln -sfn "$(cached hyperkube)" "$dir/$name"
  done
  echo "$dir"
}
