#!/usr/bin/env bash
# Installs what tests/peers run in JavaScript: the packages of package-lock.json, and the OHIF viewer. Quick when all
# is there. OHIF is fetched alone, as it was built: one of the packages that its source depends on is not published.
set -euo pipefail
cd "$(dirname "$0")"

ohif='@ohif/app@3.13.2'
sha512='5997719a9986eeba85816f5924b71b82bdd70ad2e2d4a0cd3e831a798e4f3deea3e06e1f8c48e393271933a0ba664d85f3b04ac457e9abe8dde715d907d13c10'

if ! cmp --silent package-lock.json node_modules/installed-lock.json; then
    npm ci
    cp package-lock.json node_modules/installed-lock.json
fi

unpacked=viewer/ohif
if [ "$(cat "$unpacked/sha512" 2>/dev/null)" != "$sha512" ]; then
    fetched="$(mktemp --directory)"
    trap 'rm -rf "$fetched"' EXIT
    npm pack --silent --pack-destination "$fetched" "$ohif" >/dev/null
    mv "$fetched"/*.tgz "$fetched/ohif.tgz"
    echo "$sha512  $fetched/ohif.tgz" | sha512sum --check --quiet
    rm -rf "$unpacked"
    mkdir -p "$unpacked"
    # Left out: source maps, the models' runtime and the microscopy viewer, three quarters of it all.
    tar --extract --file "$fetched/ohif.tgz" --directory "$unpacked" --strip-components 2 --no-same-owner \
        --exclude '*.map' --exclude 'package/dist/ort' --exclude 'package/dist/dicom-microscopy-viewer' package/dist
    echo "$sha512" >"$unpacked/sha512"
fi
