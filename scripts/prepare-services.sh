#!/usr/bin/env bash
# Prepares the real servers that the tests start, and prints the environment that the tests need:
#
#   environment=$(scripts/prepare-services.sh) && eval "$environment"
#
# (eval "$(…)" alone would go on after a failure.) Arguments name the services wanted; without any, it is all of them.
#
# Where Docker runs and can pull, or has the public images, there is nothing to do. On a Debian machine as root, what is
# missing is installed, the Docker daemon is started, and images that cannot be pulled are built from Debian's packages.
# Nothing is done twice. Only `export NAME=value` lines go to the standard output; the rest goes to the standard error.
set -euo pipefail

readonly all_services=(redis consul dynamodb)
readonly pull_timeout=60
readonly daemon_timeout=60
readonly daemon_log=/var/log/cleat-test-dockerd.log

say() { printf 'prepare-services: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

emit() { printf 'export %s=%q\n' "$1" "$2"; }

can_install() { [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null; }

apt_updated=
install_packages() {
  if [[ -z $apt_updated ]]; then
    apt-get update -qq >&2
    apt_updated=yes
  fi
  say "installing $*"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

docker_answers() { timeout 20 docker info >/dev/null 2>&1; }

wait_for_docker() {
  local deadline=$((SECONDS + $1))
  until docker_answers; do
    ((SECONDS < deadline)) || return 1
    sleep 0.5
  done
}

# The daemon outlives this script, and holds none of its file descriptors: whoever reads our output would wait for it.
start_docker_daemon() {
  say "starting dockerd, which logs to $daemon_log"
  (
    for fd in /proc/"$BASHPID"/fd/*; do
      fd=${fd##*/}
      ((fd > 2)) && eval "exec $fd>&-"
    done
    exec setsid dockerd </dev/null >"$daemon_log" 2>&1
  ) </dev/null >/dev/null 2>&1 &
  wait_for_docker "$daemon_timeout" || die "dockerd does not answer; see $daemon_log"
}

docker_ready=
ensure_docker() {
  [[ -z $docker_ready ]] || return 0
  if ! docker_answers; then
    can_install || die "Docker does not answer; install and start it, and see that this user may use it"
    command -v dockerd >/dev/null || install_packages docker.io
    command -v docker >/dev/null || install_packages docker-cli
    # Installing it may have started it.
    wait_for_docker 3 || start_docker_daemon
  fi
  docker_ready=yes
  # A daemon behind DOCKER_HOST is where DOCKER_HOST says; any other is here.
  [[ -n ${DOCKER_HOST:-} ]] || emit TESTCONTAINERS_HOST_OVERRIDE 127.0.0.1
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# pull_image tries once, and never for longer than pull_timeout.
pull_image() {
  say "pulling $1"
  timeout "$pull_timeout" docker pull -q "$1" >&2
}

# import_programs IMAGE COMMAND PROGRAM... makes an image of nothing but programs of this machine and their libraries.
import_programs() {
  local image=$1 command=$2 root
  shift 2
  say "building $image"
  root=$(mktemp -d)
  # shellcheck disable=SC2064 # the directory of now is meant
  trap "rm -rf '$root'" EXIT
  mkdir -p "$root/data" "$root/tmp"
  local program library
  for program in "$@"; do
    cp -L --parents "$program" "$root"
    while read -r library; do
      cp -L --parents "$library" "$root"
    done < <(ldd "$program" | grep -o '/[^ ]*')
  done
  tar -C "$root" -c . |
    docker import -c 'ENV PATH=/usr/bin' -c 'WORKDIR /data' -c "CMD [\"$command\"]" - "$image" >&2
  rm -rf "$root"
}

# use_local_image VARIABLE IMAGE tells the tests to use an image built here. Where that is needed, the image of the
# container that cleans up after killed tests cannot be pulled either.
use_local_image() {
  emit "$1" "$2"
  emit TESTCONTAINERS_RYUK_DISABLED true
}

prepare_redis() {
  local public=redis:7 local_image=cleat-test/redis
  if [[ -n ${CLEAT_TEST_REDIS_URL:-} ]]; then
    say "redis: using the server of CLEAT_TEST_REDIS_URL"
    return
  fi
  ensure_docker
  if [[ -n ${CLEAT_TEST_REDIS_IMAGE:-} && $CLEAT_TEST_REDIS_IMAGE != "$local_image" ]]; then
    say "redis: using the image $CLEAT_TEST_REDIS_IMAGE of CLEAT_TEST_REDIS_IMAGE"
  elif has_image "$local_image"; then
    use_local_image CLEAT_TEST_REDIS_IMAGE "$local_image"
  elif has_image "$public" || pull_image "$public"; then
    emit CLEAT_TEST_REDIS_IMAGE "$public"
  elif can_install; then
    # RUNLEVEL keeps the package from starting a server.
    [[ -x /usr/bin/redis-server && -x /usr/bin/redis-cli ]] || RUNLEVEL=1 install_packages redis-server
    import_programs "$local_image" redis-server /usr/bin/redis-server /usr/bin/redis-cli
    use_local_image CLEAT_TEST_REDIS_IMAGE "$local_image"
  else
    die "redis: the image $public can neither be pulled nor be built by this user"
  fi
}

# shellcheck source=scripts/prepare-consul.sh
source "$(dirname "${BASH_SOURCE[0]}")/prepare-consul.sh"
# shellcheck source=scripts/prepare-dynamodb.sh
source "$(dirname "${BASH_SOURCE[0]}")/prepare-dynamodb.sh"

main() {
  local services=("$@") service
  ((${#services[@]})) || services=("${all_services[@]}")
  for service in "${services[@]}"; do
    [[ " ${all_services[*]} " == *" $service "* ]] || die "unknown service $service; known are ${all_services[*]}"
    "prepare_$service"
  done
  emit CLEAT_TEST_REQUIRED "$(IFS=, && echo "${services[*]}")"
}

main "$@"
