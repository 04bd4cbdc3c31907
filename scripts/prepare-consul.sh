# Prepares Consul for the tests. It is sourced by prepare-services.sh, whose functions and conventions it uses.
# shellcheck shell=bash

# prepare_consul finds or builds an image of Consul. Debian has no package of it, but Go's module proxy has its source, from
# which the program is built, at the version of tools/consul/go.mod; that takes some minutes, once.
prepare_consul() {
  local public=hashicorp/consul local_image=cleat-test/consul
  if [[ -n ${CLEAT_TEST_CONSUL_ADDR:-} ]]; then
    say "consul: using the server of CLEAT_TEST_CONSUL_ADDR"
    return
  fi
  ensure_docker
  if [[ -n ${CLEAT_TEST_CONSUL_IMAGE:-} && $CLEAT_TEST_CONSUL_IMAGE != "$local_image" ]]; then
    say "consul: using the image $CLEAT_TEST_CONSUL_IMAGE of CLEAT_TEST_CONSUL_IMAGE"
  elif has_image "$local_image"; then
    use_local_image CLEAT_TEST_CONSUL_IMAGE "$local_image"
  elif has_image "$public" || pull_image "$public"; then
    emit CLEAT_TEST_CONSUL_IMAGE "$public"
  else
    build_consul_image "$local_image"
    use_local_image CLEAT_TEST_CONSUL_IMAGE "$local_image"
  fi
}

# build_consul_image IMAGE makes an image of nothing but Consul, which is linked statically.
build_consul_image() (
  command -v go >/dev/null || die "consul: the image can neither be pulled nor be built without Go"
  say "building $1 from its source, which takes some minutes the first time"
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  mkdir -p "$root/bin" "$root/data" "$root/tmp"
  source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../tools/consul" && pwd)
  CGO_ENABLED=0 go -C "$source" build -trimpath -ldflags='-s -w' -o "$root/bin/consul" \
    github.com/hashicorp/consul >&2
  tar -C "$root" -c . |
    docker import -c 'ENV PATH=/bin' -c 'WORKDIR /data' -c 'ENTRYPOINT ["/bin/consul"]' - "$1" >&2
)
