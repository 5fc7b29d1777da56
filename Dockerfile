# docmill's images. `make images` builds all four; one of them: docker buildx build --target worker --tag docmill/docmill-worker .
#
#   docmill     everything in one process: docker run -p 8080:8080 -v docmill:/data docmill/docmill
#   api         HTTP and the chores          worker      reads documents, in processes of docmill-extractor
#   provision   makes what the others need
#
# Programs that are there already are taken by `--build-arg PROGRAMS=given --build-context given=DIR`, and so is libpdfium (scripts/images).

ARG RUST=rust:1.95.0-bookworm
ARG DEBIAN=debian:bookworm-20260803-slim
ARG PYTHON=python:3.13.15-slim-bookworm
ARG PROGRAMS=compiled
ARG PDFIUM=fetched

# Dependencies, apart from docmill's own code: compiled anew only when a manifest or Cargo.lock changes.
FROM ${RUST} AS chef
RUN cargo install --locked cargo-chef@0.1.78 cargo-auditable@0.7.7
WORKDIR /src

FROM chef AS recipe
COPY . .
RUN cargo chef prepare

FROM chef AS build
COPY --from=recipe /src/recipe.json ./
COPY scripts/compile scripts/
RUN scripts/compile chef cook
COPY . .
ARG COMMIT=""
RUN DOCMILL_COMMIT=${COMMIT} scripts/compile auditable build \
    && mkdir /programs \
    && cp target/*-linux-gnu/release/docmill target/*-linux-gnu/release/docmill-* /programs/ \
    && rm -f /programs/*.d

FROM scratch AS compiled
COPY --from=build /programs /
FROM ${PROGRAMS} AS programs

FROM ${PYTHON} AS fetch
COPY scripts/fetch-pdfium /
RUN /fetch-pdfium /pdfium
FROM scratch AS fetched
COPY --from=fetch /pdfium /
FROM ${PDFIUM} AS pdfium

# The root file systems: `static` is certificates, a user and a place for temporary files; `glibc` adds the C library, for the extractor.
# Neither has a shell or a package manager; the packages' records stay, by which scanners know what is in the image.
FROM ${DEBIAN} AS system
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# The newest certificates are wanted, whatever their version.
# hadolint ignore=DL3008
RUN [ -e /etc/ssl/certs/ca-certificates.crt ] || { apt-get update && apt-get install -y --no-install-recommends ca-certificates; }
COPY images/docmill.toml LICENSE /tmp/docmill/
RUN mkdir -p /static/etc/{docmill,ssl/certs} /static/usr/share/licenses/docmill /static/var/lib/dpkg/status.d /static/tmp /static/data \
    && chmod 1777 /static/tmp \
    && chown 65532:65532 /static/data \
    && echo 'nonroot:x:65532:65532:docmill:/data:/sbin/nologin' >/static/etc/passwd \
    && echo 'nonroot:x:65532:' >/static/etc/group \
    && cp -L /etc/os-release /static/etc/ \
    && cp /etc/ssl/certs/ca-certificates.crt /static/etc/ssl/certs/ \
    && cp /tmp/docmill/docmill.toml /static/etc/docmill/ \
    && cp /tmp/docmill/LICENSE /static/usr/share/licenses/docmill/ \
    && for package in base-files ca-certificates; do dpkg-query --status "$package" >"/static/var/lib/dpkg/status.d/$package"; done \
    && cp -a /static /glibc \
    && cp --parents -a /lib*/ld-linux-*.so.* /lib/*-linux-gnu/{ld-linux-*,libc,libdl,libgcc_s,libm,libpthread,librt}.so.* /glibc/ \
    && cp --parents /usr/share/doc/{libc6,libgcc-s1}/copyright /glibc/ \
    && for package in libc6 libgcc-s1; do dpkg-query --status "$package" >"/glibc/var/lib/dpkg/status.d/$package"; done

# What all images have in common. The configuration only opens the ports; put a file of your own in its place, or set the environment.
FROM scratch AS static
COPY --from=system /static /
ARG VERSION=0.1.0
ARG COMMIT=""
LABEL org.opencontainers.image.source="https://github.com/docmill/docmill" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${COMMIT}"
ENV DOCMILL_CONFIG=/etc/docmill/docmill.toml
USER 65532:65532
WORKDIR /

FROM scratch AS glibc
COPY --from=system /glibc /
COPY --from=pdfium /libpdfium.so /usr/local/lib/
COPY --from=pdfium /libpdfium-licenses /usr/share/licenses/libpdfium
COPY --from=programs /docmill-extractor /usr/local/bin/
ARG VERSION=0.1.0
ARG COMMIT=""
LABEL org.opencontainers.image.source="https://github.com/docmill/docmill" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${COMMIT}"
ENV DOCMILL_CONFIG=/etc/docmill/docmill.toml
USER 65532:65532
WORKDIR /

FROM static AS api
LABEL org.opencontainers.image.title="docmill-api" org.opencontainers.image.description="docmill's API"
COPY --from=programs /docmill-api /usr/local/bin/
EXPOSE 8080 9464
HEALTHCHECK --interval=5s --timeout=10s --start-period=120s --start-interval=1s CMD ["/usr/local/bin/docmill-api", "health"]
ENTRYPOINT ["/usr/local/bin/docmill-api"]

FROM glibc AS worker
LABEL org.opencontainers.image.title="docmill-worker" org.opencontainers.image.description="docmill's worker: reads documents"
COPY --from=programs /docmill-worker /usr/local/bin/
EXPOSE 9464
HEALTHCHECK --interval=5s --timeout=10s --start-period=120s --start-interval=1s CMD ["/usr/local/bin/docmill-worker", "health"]
ENTRYPOINT ["/usr/local/bin/docmill-worker"]

FROM static AS provision
LABEL org.opencontainers.image.title="docmill-provision" org.opencontainers.image.description="Makes what docmill's configuration names"
COPY --from=programs /docmill-provision /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/docmill-provision"]

FROM glibc AS docmill
LABEL org.opencontainers.image.title="docmill" org.opencontainers.image.description="Documents in, text, Markdown and tables out"
COPY --from=programs /docmill /usr/local/bin/
VOLUME /data
EXPOSE 8080 9464
HEALTHCHECK --interval=5s --timeout=10s --start-period=120s --start-interval=1s CMD ["/usr/local/bin/docmill", "health"]
ENTRYPOINT ["/usr/local/bin/docmill"]
CMD ["up", "--data", "/data"]
