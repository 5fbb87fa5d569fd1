# The image of trusthub-bridge. docs/image.md describes how to build it and what it contains.

# Pinned by digest, because a tag can be moved to another image. The compiler is that of rust-toolchain.toml. Both images
# have the same Debian version, so that the program runs with the glibc that it was linked to.
ARG BUILD_IMAGE=docker.io/library/rust:1.95.0-trixie@sha256:0861191076afc8e2dfcf0bec6ad6c2dec8494b3a1e9249729e1989690afed5ec
ARG RUNTIME_IMAGE=gcr.io/distroless/base-nossl-debian13:nonroot@sha256:8c563c1fb5e120606f0d85733049775faed6192e2bd2223ef283a5393eec22b9

# All dependencies, including librdkafka and OpenSSL. This layer is built again only when the manifest or the lock file
# changes.
FROM ${BUILD_IMAGE} AS dependencies
WORKDIR /build
# librdkafka is built with CMake, which the official Rust image lacks.
RUN command -v cmake >/dev/null \
    || { apt-get update && apt-get install --yes --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*; }
# It lists the crates in the program, for scanners. The official Rust image lacks it, too.
RUN command -v cargo-auditable >/dev/null || cargo install --quiet --locked --version 0.7.7 cargo-auditable
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock build.rs ./
COPY crates/chart-tests/Cargo.toml crates/chart-tests/
COPY crates/durable-spool/Cargo.toml crates/durable-spool/
COPY crates/kafka-token/Cargo.toml crates/kafka-token/
COPY crates/test-support/Cargo.toml crates/test-support/
COPY crates/trusthub-client/Cargo.toml crates/trusthub-client/
COPY crates/trusthub-events/Cargo.toml crates/trusthub-events/
COPY crates/trusthub-simulator/Cargo.toml crates/trusthub-simulator/
COPY crates/twilio-accounts/Cargo.toml crates/twilio-accounts/
COPY crates/twilio-signature/Cargo.toml crates/twilio-signature/
COPY examples/consumer/Cargo.toml examples/consumer/
# Cargo requires every package of the workspace and every target of its manifest, so the packages are replaced by stubs, and
# the benchmarks are removed from the manifest. The build output of the stubs is removed, because Cargo would consider it newer
# than the source. The stub of the example, which the program does not need, remains.
RUN sed -i '/^\[\[bench\]\]$/,/^$/d' Cargo.toml \
    && for package in . crates/*; do \
        mkdir "$package/src" && echo '//! A stub of a library.' >"$package/src/lib.rs" || exit; \
    done \
    && for package in . examples/consumer; do \
        mkdir -p "$package/src" && printf '//! A stub of a program.\nfn main() {}\n' >"$package/src/main.rs" || exit; \
    done \
    && cargo auditable build --release --locked --features vendored-openssl \
    && cargo clean --release --locked --package trusthub-bridge $(printf -- '--package %s ' $(ls crates)) \
    && rm -r src crates

FROM dependencies AS build
COPY crates crates
COPY schemas schemas
COPY src src
RUN cargo auditable build --release --locked --features vendored-openssl
# The names of functions get a file of their own. Profilers and debuggers find the program of a file by its build ID.
RUN mkdir /symbols \
    && objcopy --only-keep-debug target/release/trusthub-bridge /symbols/trusthub-bridge.debug \
    && strip --strip-all target/release/trusthub-bridge
# The licenses of all that is linked into the program.
COPY scripts/sbom scripts/
RUN scripts/sbom notices "$(rustc -vV | sed -n 's/^host: //p')" >/THIRD-PARTY-NOTICES
# The files of the image: the program; its licenses; the one library that the runtime image lacks, with its license and its package
# metadata for image scanners; and the folder whose content a new volume copies.
RUN install -D --target-directory=/image/usr/local/bin target/release/trusthub-bridge \
    && install -D --mode=644 --target-directory=/image/usr/share/doc/trusthub-bridge /THIRD-PARTY-NOTICES \
    && install -D --mode=644 --target-directory="/image/usr/lib/$(gcc -print-multiarch)" \
        "$(gcc -print-file-name=libgcc_s.so.1)" \
    && install -D --mode=644 --target-directory=/image/usr/share/doc/libgcc-s1 /usr/share/doc/libgcc-s1/copyright \
    && install -d /image/var/lib/dpkg/status.d \
    && dpkg --status libgcc-s1 >/image/var/lib/dpkg/status.d/libgcc-s1 \
    && install -d --mode=700 --owner=65532 --group=65532 /image/var/lib/trusthub-bridge

# Built with `--target symbols` only.
FROM scratch AS symbols
COPY --from=build /symbols /

FROM ${RUNTIME_IMAGE}
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/trusthub-bridge/
COPY --from=build /image /

# As a number, so that Kubernetes can verify that it is not root.
USER 65532:65532
# In a folder on the volume, because the root of the volume may have another owner.
ENV SPOOL_DIR=/var/lib/trusthub-bridge/spool
VOLUME /var/lib/trusthub-bridge
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/trusthub-bridge", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/trusthub-bridge"]
CMD ["serve"]

# Last, because they differ between builds.
ARG VERSION=""
ARG REVISION=""
ARG CREATED=""
ARG SOURCE=""
LABEL org.opencontainers.image.title="trusthub-bridge" \
    org.opencontainers.image.description="Receives Twilio Trust Hub status callbacks, verifies them and publishes typed events to Kafka" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}" \
    org.opencontainers.image.source="${SOURCE}"
