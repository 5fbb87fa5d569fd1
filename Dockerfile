# The image of trusthub-bridge. docs/image.md tells how to build it and what is in it.

# Pinned by digest, since a tag may come to mean another image. The compiler is that of rust-toolchain.toml; the two
# images are of the same Debian, whose glibc the program is linked to and runs with.
ARG BUILD_IMAGE=docker.io/library/rust:1.95.0-trixie@sha256:0861191076afc8e2dfcf0bec6ad6c2dec8494b3a1e9249729e1989690afed5ec
ARG RUNTIME_IMAGE=gcr.io/distroless/base-nossl-debian13:nonroot@sha256:8c563c1fb5e120606f0d85733049775faed6192e2bd2223ef283a5393eec22b9

# All that the program uses, librdkafka and OpenSSL included: built again only when the manifest or the lock file
# changes.
FROM ${BUILD_IMAGE} AS dependencies
WORKDIR /build
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
# Cargo wants to see every target that the manifest names, so the benchmarks are taken out of it and the program is
# stood in for. What was built of the stand-in is removed: it would be taken for newer than the source.
RUN sed -i '/^\[\[bench\]\]/,/^$/d' Cargo.toml \
    && mkdir src \
    && echo '//! Stands in for the library.' >src/lib.rs \
    && printf '//! Stands in for the program.\nfn main() {}\n' >src/main.rs \
    && cargo build --release --locked \
    && cargo clean --release --locked --package trusthub-bridge \
    && rm -r src

FROM dependencies AS build
# The documentation of the crate is this file.
COPY docs/architecture.md docs/
COPY build.rs ./
COPY src src
RUN cargo build --release --locked
# What the image gets: the program; the one library that the runtime image lacks, with its licence and with what tells
# scanners of images that it is there; and the folder that a new volume begins as a copy of.
RUN install -D --target-directory=/image/usr/local/bin target/release/trusthub-bridge \
    && install -D --mode=644 --target-directory="/image/usr/lib/$(gcc -print-multiarch)" \
        "$(gcc -print-file-name=libgcc_s.so.1)" \
    && install -D --mode=644 --target-directory=/image/usr/share/doc/libgcc-s1 /usr/share/doc/libgcc-s1/copyright \
    && install -d /image/var/lib/dpkg/status.d \
    && dpkg --status libgcc-s1 >/image/var/lib/dpkg/status.d/libgcc-s1 \
    && install -d --mode=700 --owner=65532 --group=65532 /image/var/lib/trusthub-bridge

FROM ${RUNTIME_IMAGE}
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/trusthub-bridge/
COPY --from=build /image /

# As a number, so that Kubernetes can tell that it is not root.
USER 65532:65532
# Below the volume, whose own folder may belong to whoever made it.
ENV SPOOL_DIR=/var/lib/trusthub-bridge/spool
VOLUME /var/lib/trusthub-bridge
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/trusthub-bridge", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/trusthub-bridge"]
CMD ["serve"]

# Last, since they differ from build to build.
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
